"""PilotHAT: a charging-station controller for the Raspberry Pi."""

__version__ = "0.1.0"
