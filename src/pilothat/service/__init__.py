"""What the user touches: command line, settings, views."""
