"""Tolerances: where real cars leave the standard, and what it costs to let them.

Each is a named switch with its evidence. The field profile allows all of them, the
conformance profile none.
"""

from __future__ import annotations

from enum import Enum


class Quirk(Enum):
    """A deviation of real cars that the station can live with: its evidence."""

    DOUBLE_AUTHORISATION = "authorisation asked for once more after Finished: seen"
    EARLY_POWER_OFF = (
        "PowerDelivery(off) before PreCharge: Ioniq module after authentication, "
        "Audi Q4 after cable check"
    )
    STOP_ANYWHERE = "SessionStop straight out of any phase: Tesla Model Y in precharge"
    STOP_IN_C = "SessionStop of a DC session while the pilot is still in C"
    WELDING_IN_C = "WeldingDetection while the pilot is still in C"
    SLOPPY_PROFILE = "charging profile above PMax: many cars"
    LAX_CERTIFICATES = (
        "contract chains without domain component, path length or country: "
        "those of several issuers"
    )

    @property
    def key(self) -> str:
        """The name of its switch in the settings."""
        return self.name.lower()


FIELD = frozenset(Quirk)
CONFORMANCE: frozenset[Quirk] = frozenset()
