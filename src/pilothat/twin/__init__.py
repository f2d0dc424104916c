"""The world without hardware: car, cable, powerline, plant, time."""
