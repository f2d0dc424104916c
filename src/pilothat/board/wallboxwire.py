"""The lines between a station and an Arduino that makes its pilot (``hat/wallbox``).

To the Arduino goes the whole wish, from it comes its whole state, so that a line that
is lost costs nothing but its time::

    W 17 100 1 0 8f3a
    {"v":1,"t":5230,"n":17,"w":100,"hi":5951,...,"why":"","crc":"6ab1"}

Both carry the same CRC-16 (polynomial 0x1021, begun with 0xFFFF) over what is before
it. A line that is cut, garbled or of another version is none.
"""

from __future__ import annotations

import json
import re
from binascii import crc_hqx
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from pilothat.frozen import dataclass
from pilothat.pilot.duty import FAULT_PCT, STEADY_PCT
from pilothat.pilot.levels import PilotSample

DIALECTS = ("pilothat", "text")  # what may be flashed: our sketch, the published one
PILOTHAT, TEXT = DIALECTS
AUTO = "auto"  # the port: the only known adapter
BAUD = 500_000
VERSION = 1
NUMBERS = 1 << 16  # wishes are counted modulo this
TICKS_PER_PCT = 20  # the pilot's high time in half microseconds, of a millisecond
LONGEST = 256  # bytes of a line; what is longer is none
_WISH = re.compile(rb"W \d{1,5} \d{1,4} [01] [01]")
_CRC_MARK = b',"crc":"'


class Why(Enum):
    """Why the Arduino keeps everything off until it has been wished off."""

    NOTHING = ""
    START = "start"  # it has just been reset
    LEASE = "lease"  # no wish for too long
    PILOT = "pilot"  # CP is in neither C nor D
    CHAIN = "chain"  # emergency stop or fault


@dataclass(frozen=True, slots=True)
class Wish:
    """All that the Arduino is to do. number: counted modulo ``NUMBERS``."""

    number: int = 0
    duty_pct: float = FAULT_PCT
    is_contactor_on: bool = False
    is_supply_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that the Arduino knows.

    up_s:    time since its reset
    number:  of the wish it obeys
    high_v:  level of the high half wave, or the steady level
    low_v:   level of the low half wave, where there is one
    lease_s: what is left until it lets go by itself
    refused: lines it has not understood
    """

    up_s: float
    number: int
    duty_pct: float
    high_v: float
    low_v: float
    is_contactor_on: bool
    is_supply_on: bool
    is_contactor_closed: bool
    is_estop_released: bool
    is_rcm_good: bool
    lease_s: float
    refused: int
    why: Why

    @property
    def sample(self) -> PilotSample:
        """Return the levels as a sample of the pilot."""
        is_pulsing = FAULT_PCT < self.duty_pct < STEADY_PCT
        return PilotSample(self.high_v, self.low_v if is_pulsing else None)


# key, attribute, how many of the line's units make one of ours; 0 is a yes or no
_FIELDS: Sequence[tuple[str, str, int]] = (
    ("t", "up_s", 1000),
    ("n", "number", 1),
    ("w", "duty_pct", TICKS_PER_PCT),
    ("hi", "high_v", 1000),
    ("lo", "low_v", 1000),
    ("k", "is_contactor_on", 0),
    ("e", "is_supply_on", 0),
    ("fb", "is_contactor_closed", 0),
    ("es", "is_estop_released", 0),
    ("rcm", "is_rcm_good", 0),
    ("lease", "lease_s", 1000),
    ("bad", "refused", 1),
)


def wish_line(wish: Wish) -> bytes:
    """Return a wish as a line."""
    ticks = round(wish.duty_pct * TICKS_PER_PCT)
    switches = f"{wish.is_contactor_on:d} {wish.is_supply_on:d}"
    body = f"W {wish.number} {ticks} {switches}".encode()
    return b"%s %04x\n" % (body, _crc(body))


def read_wish(line: bytes) -> Wish | None:
    """Return the wish of a line without its end; None when it is none."""
    body, _, crc = line.rpartition(b" ")
    if crc != b"%04x" % _crc(body) or not _WISH.fullmatch(body):
        return None
    number, ticks, contactor, supply = map(int, body.split()[1:])
    return Wish(number, ticks / TICKS_PER_PCT, bool(contactor), bool(supply))


def status_line(status: Status) -> bytes:
    """Return a state as a line."""
    values: dict[str, Any] = {"v": VERSION}
    for key, name, scale in _FIELDS:
        values[key] = round(getattr(status, name) * (scale or 1))
    values["why"] = status.why.value
    body = json.dumps(values, separators=(",", ":")).encode()[:-1]
    return b'%s%s%04x"}\n' % (body, _CRC_MARK, _crc(body))


def read_status(line: bytes) -> Status | None:
    """Return the state of a line without its end; None when it is none."""
    body, _, crc = line.rpartition(_CRC_MARK)
    if crc != b'%04x"}' % _crc(body):
        return None
    try:
        values = json.loads(body + b"}")
        return _status(values) if values["v"] == VERSION else None
    except (ValueError, KeyError, TypeError):
        return None


def _status(values: Mapping[str, Any]) -> Status:
    made: dict[str, Any] = {
        name: values[key] / scale if scale > 1 else int(values[key])
        for key, name, scale in _FIELDS
        if scale
    }
    switches: dict[str, Any] = {
        name: values[key] == 1 for key, name, scale in _FIELDS if not scale
    }
    return Status(**made, **switches, why=Why(values["why"]))


def _crc(body: bytes) -> int:
    return crc_hqx(body, 0xFFFF)


class Lines:
    """Bytes as they come, lines as they end."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Sequence[bytes]:
        """Return the lines that end in ``data``, without their ends."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LONGEST:]
        return [line.rstrip(b"\r") for line in lines if len(line) <= LONGEST]
