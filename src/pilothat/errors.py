"""Errors: what failed, where, and what to do about it.

The car's faults and our own never share a type.
"""

from __future__ import annotations


class PilotHatError(Exception):
    """Base of all our errors.

    what:   the observed fact, with value and unit
    where:  the device, message or setting it concerns
    remedy: what a person does next; empty when nothing helps
    """

    def __init__(self, what: str, *, where: str, remedy: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f". {remedy}" if remedy else ""))
        self.what, self.where, self.remedy = what, where, remedy


class BoardError(PilotHatError):
    """The HAT, or the library that drives it, failed."""


class ConfigError(PilotHatError):
    """The configuration is wrong. Nothing has been switched on."""


class PeerError(PilotHatError):
    """The car broke the protocol. Ends the session, never the station."""
