"""Sessions on the car's side."""
