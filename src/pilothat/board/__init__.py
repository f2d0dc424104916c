"""Board drivers behind the ports."""
