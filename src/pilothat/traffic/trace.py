"""What a recording tells of voltage, current, power and charge over time.

Values are collected by the names of their fields, the same in all protocols; phases by
the messages that belong to them. What is drawn from it is for others to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

from pilothat.homeplug.frame import Frame
from pilothat.traffic.ear import HANDSHAKE, Json, Told
from pilothat.traffic.piece import Layer
from pilothat.traffic.slac import FROM_EV, FROM_EVSE
from pilothat.traffic.words import number_of

CHARGE, STOP = "charge", "stop"

# field -> quantity, and which curve of it
CURVES: Mapping[str, tuple[str, str]] = {
    "EVTargetVoltage": ("voltage", "target"),
    "EVSEPresentVoltage": ("voltage", "present"),
    "EVTargetCurrent": ("current", "target"),
    "EVSEPresentCurrent": ("current", "present"),
    "EVSEMaxCurrent": ("current", "limit"),
    "EVSETargetActivePower": ("power", "target"),
    "EVPresentActivePower": ("power", "present"),
    "EVRESSSOC": ("SoC", "present"),
    "PresentSOC": ("SoC", "present"),
}
UNITS: Mapping[str, str] = {"voltage": "V", "current": "A", "power": "kW", "SoC": "%"}
_POWER = ("power", "present")
_FACTORS: Mapping[str, float] = {"power": 1e-3}
_DEEPEST = 4

# message without Req and Res -> phase; power delivery belongs to what it begins or ends
PHASES: Mapping[str, str] = {
    "supportedAppProtocol": "handshake",
    "SessionSetup": "setup",
    "ServiceDiscovery": "setup",
    "ServiceDetail": "setup",
    "ServiceSelection": "setup",
    "ServicePaymentSelection": "setup",
    "PaymentServiceSelection": "setup",
    "PaymentDetails": "setup",
    "CertificateInstallation": "setup",
    "CertificateUpdate": "setup",
    "ContractAuthentication": "authorisation",
    "AuthorizationSetup": "authorisation",
    "Authorization": "authorisation",
    "ChargeParameterDiscovery": "parameters",
    "ScheduleExchange": "parameters",
    "CableCheck": "cable check",
    "PreCharge": "precharge",
    "CurrentDemand": CHARGE,
    "ChargingStatus": CHARGE,
    "ChargeLoop": CHARGE,
    "MeteringReceipt": CHARGE,
    "MeteringConfirmation": CHARGE,
    "WeldingDetection": STOP,
    "SessionStop": STOP,
}
_POWER_DELIVERY = "PowerDelivery"
_MODES = ("DC_", "AC_", "WPT_", "ACDP_")
_ENDINGS = ("Req", "Res")


@dataclass(slots=True)
class Band:
    """A phase. since_s, until_s: seconds since the first piece."""

    phase: str
    since_s: float
    until_s: float


@dataclass(slots=True)
class Curve:
    """Values over time; a value that is none parts two sessions."""

    times_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at_s: float, value: float) -> None:
        """Add a value."""
        self.times_s.append(at_s)
        self.values.append(value)


class Trace:
    """Fed with what was said; ``curves`` by quantity and name, and ``bands``."""

    def __init__(self) -> None:
        self.curves: dict[tuple[str, str], Curve] = {}
        self.bands: list[Band] = []
        self.protocols: list[str] = []
        self._zero_s: float | None = None

    def add(self, told: Told) -> None:
        """Take what a piece says; without a time it is left out."""
        if told.piece.at_s is None:
            return
        if self._zero_s is None:
            self._zero_s = told.piece.at_s
        at_s = told.piece.at_s - self._zero_s
        self._phase(_phase(told, self.bands), at_s)
        if told.protocol == HANDSHAKE:
            for curve in self.curves.values():
                curve.add(at_s, nan)
        elif told.protocol and told.protocol not in self.protocols:
            self.protocols.append(told.protocol)
        if told.content is not None:
            self._values(dict(_numbers(told.body, _DEEPEST)), at_s)

    def _phase(self, phase: str, at_s: float) -> None:
        if self.bands:
            self.bands[-1].until_s = max(at_s, self.bands[-1].until_s)
        if phase and (not self.bands or self.bands[-1].phase != phase):
            self.bands.append(Band(phase, at_s, at_s))

    def _values(self, found: Mapping[str, float], at_s: float) -> None:
        for name, value in found.items():
            key = CURVES.get(name)
            if key is not None:
                self._curve(key).add(at_s, value * _FACTORS.get(key[0], 1.0))
        if "EVSEPresentVoltage" in found and "EVSEPresentCurrent" in found:
            power_w = found["EVSEPresentVoltage"] * found["EVSEPresentCurrent"]
            self._curve(_POWER).add(at_s, power_w / 1000)

    def _curve(self, key: tuple[str, str]) -> Curve:
        return self.curves.setdefault(key, Curve())


def _phase(told: Told, bands: Sequence[Band]) -> str:
    """Return the phase a piece belongs to; empty if it does not tell."""
    if told.piece.layer is Layer.SDP:
        return Layer.SDP.upper()
    if isinstance(told.value, Frame):
        is_match = type(told.value.mme) in (FROM_EV | FROM_EVSE)
        return Layer.SLAC.upper() if is_match else ""
    stem = told.name
    for mode in _MODES:
        stem = stem.removeprefix(mode)
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    if stem == _POWER_DELIVERY:
        is_end = bool(bands) and bands[-1].phase in (CHARGE, STOP)
        return STOP if is_end else ""
    return PHASES.get(stem, "")


def _numbers(value: Json, depth: int) -> Iterator[tuple[str, float]]:
    """Return numbers with the names of their fields, in SI."""
    for name, part in value.items():
        number = number_of(part)
        if number is not None:
            yield name, number
        elif isinstance(part, Mapping) and depth:
            yield from _numbers(part, depth - 1)
