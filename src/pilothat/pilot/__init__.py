"""Control pilot and proximity pilot: levels, duty cycles, states (IEC 61851-1)."""
