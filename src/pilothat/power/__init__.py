"""The DC power path: isolation, precharge, charge, ramp-down, welding check."""
