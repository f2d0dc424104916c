"""The powerline modem on our own cable."""
