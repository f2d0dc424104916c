"""Recorded charging traffic, from packets to messages that people read."""
