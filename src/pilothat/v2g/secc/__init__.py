"""Sessions on the station's side."""
