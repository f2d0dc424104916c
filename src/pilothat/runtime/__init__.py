"""Shells: the only code that touches sockets, processes and clocks."""
