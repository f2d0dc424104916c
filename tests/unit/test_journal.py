"""The journal: every event and action of the station survives a line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from math import inf, isnan, nan
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.faults import Fault
from pilothat.guard import GuardFact, PilotFact, Want
from pilothat.journal import (
    Entry,
    JournalError,
    Played,
    Reading,
    Recorder,
    header_of,
    line_of,
    text_of,
)
from pilothat.pilot.levels import PilotState
from pilothat.plant import Isolation, PlantFact, Ratings, Setpoint
from pilothat.plc.link import LinkSettings
from pilothat.plc.modem import ModemSettings
from pilothat.slac.settings import SlacSettings
from pilothat.station.actions import (
    Action,
    Publish,
    Raise,
    SendFrame,
    SetOutput,
    TcpSend,
    Topic,
)
from pilothat.station.events import (
    Authorised,
    Event,
    FrameIn,
    NetworkFact,
    PlantReport,
    SecondLook,
    StopCause,
    StopRequested,
    TcpData,
)
from pilothat.station.settings import StationSettings
from pilothat.v2g.quirks import CONFORMANCE, FIELD, Quirk
from pilothat.v2g.secc.din import DinSettings
from pilothat.v2g.secc.iso2_answers import Offer
from pilothat.v2g.secc.iso2_power import Iso2Settings

EVENTS: list[object] = [
    PilotFact(PilotState.C2, 6.0, -12.0, 5.0),
    PilotFact(PilotState.B1, 9.0, None, 100.0),
    GuardFact(True, False, (Fault.CP_DIODE, Fault.LEASE_LOST)),
    PlantReport(PlantFact(1.5, 2.5, -3.5, Isolation.WARNING, 1e6)),
    FrameIn(bytes(range(256))),
    TcpData(7, b""),
    Authorised(True, 'a "card"\n\u00e4\U0001f697'),
    StopRequested(StopCause.USER),
    NetworkFact(True, bytes(16), 61341),
    NetworkFact(False, None, 0),
    SecondLook(False, True, False),
    None,
]
ACTIONS: list[object] = [
    Want(5.0, True, False),
    SetOutput(Setpoint(400.0, 0.1, True)),
    SendFrame(b"\x88\xe1"),
    TcpSend(1, b"\x01\xfe"),
    Raise(Fault.OVERVOLTAGE),
    Publish(Topic.NOTE, "</script> \\ \u2028"),
]
reading = Reading(
    [*get_args(Event), *get_args(Action), PlantFact, Setpoint, StationSettings]
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda one: type(one).__name__)
def test_event_comes_back_from_its_line(event: object) -> None:
    entry = Entry(12.25, event, tuple(ACTIONS), "00ff")
    back = reading.entry(line_of(entry), 1)
    assert (back.at, back.event, back.entropy) == (12.25, event, "00ff")
    assert list(back.actions) == ACTIONS


def test_line_is_one_line_of_plain_json() -> None:
    for event in EVENTS:
        line = line_of(Entry(0.1, event, ACTIONS))
        assert "\n" not in line
        assert line.isascii()
        assert list(json.loads(line)) == ["at", "event", "actions"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_time_comes_back_bit_for_bit(at: float) -> None:
    assert reading.entry(line_of(Entry(at, None, ())), 1).at == at


@given(st.floats())
def test_measured_numbers_come_back_bit_for_bit(volts: float) -> None:
    """Whatever a driver reports: a journal of a broken one must be readable."""
    line = line_of(Entry(0.0, PlantReport(PlantFact(volts, 0.0, 0.0)), ()))
    event = reading.entry(line, 1).event
    assert isinstance(event, PlantReport)
    back = event.plant.supply_v
    assert back == volts or (isnan(back) and isnan(volts))


@pytest.mark.parametrize("volts", [nan, inf, -inf])
def test_numbers_that_are_none_come_back(volts: float) -> None:
    line = line_of(Entry(0.0, PilotFact(PilotState.B2, volts, volts, 5.0), ()))
    event = reading.entry(line, 1).event
    assert isinstance(event, PilotFact)
    assert repr(event.high_v) == repr(volts)


@pytest.mark.parametrize("quirks", [FIELD, CONFORMANCE])
def test_header_brings_the_settings_back(quirks: frozenset[Quirk]) -> None:
    kinds = [StationSettings, DinSettings, Iso2Settings, Offer]
    given_ = StationSettings(host_mac=bytes(6), din=DinSettings(quirks=quirks))
    reader = Reading([*kinds, Ratings, ModemSettings, LinkSettings, SlacSettings])
    assert reader.header(header_of(given_)) == given_


def test_line_without_a_header_has_none() -> None:
    assert reading.header(line_of(Entry(0.0, None, ()))) is None


BROKEN = [
    "",
    "{",
    "[]",
    "1",
    "null",
    '"text"',
    "{}",
    '{"at":1,"event":null}',
    '{"at":"x","event":null,"actions":[]}',
    '{"at":1,"event":{},"actions":[]}',
    '{"at":1,"event":{"type":"Nothing"},"actions":[]}',
    '{"at":1,"event":{"type":"FrameIn"},"actions":[]}',
    '{"at":1,"event":{"type":"FrameIn","frame":"zz"},"actions":[]}',
    '{"at":1,"event":{"type":"FrameIn","frame":1},"actions":[]}',
    '{"at":1,"event":{"type":"StopRequested","cause":"NOBODY"},"actions":[]}',
    '{"at":1,"event":{"type":"StopRequested","cause":["USER"]},"actions":[]}',
    '{"at":1,"event":{"type":"TcpClosed","connection":"1"},"actions":[]}',
    '{"at":1,"event":{"type":["TcpClosed"],"connection":1},"actions":[]}',
    '{"at":1,"event":5,"actions":[]}',
    '{"at":1,"event":null,"actions":5}',
    '{"at":1,"event":null,"actions":[5]}',
    '{"at":1,"event":null,"actions":[],"entropy":"xyz"}',
    '{"at":1,"event":null,"actions":[],"entropy":5}',
    "[" * 100_000,
    '{"at":1' + "0" * 5000 + ',"event":null,"actions":[]}',
]


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_broken_line_is_told_with_its_number(line: str) -> None:
    with pytest.raises(JournalError, match="line 17"):
        reading.entry(line, 17)


@pytest.mark.parametrize(
    "line",
    ["", "[]", "1", "{", '{"journal":2,"settings":{}}', '{"journal":1}', "[" * 99_999],
    ids=range(7),
)
def test_broken_header_is_told(line: str) -> None:
    with pytest.raises(JournalError, match="line 1"):
        reading.header(line)


@pytest.mark.parametrize("line", ["", "{", "{}", "5", "[1]", '{"type":"Nothing"}'])
def test_value_that_nobody_knows_is_an_error(line: str) -> None:
    with pytest.raises(JournalError):
        reading.value(line)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(line: str) -> None:
    with pytest.raises(JournalError):
        reading.entry(line, 1)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Pair:
    left: int
    right: float


def test_what_has_no_place_in_a_journal_is_our_own_bug() -> None:
    with pytest.raises(TypeError, match="complex"):
        text_of(1j)


def test_values_have_one_text_each() -> None:
    told = [text_of(one) for one in (Pair(1, 2.5), Colour.RED, b"\x01", True, None)]
    assert told == ['{"type":"Pair","left":1,"right":2.5}', '"RED"', '"01"', "true",
                    "null"]  # fmt: skip


# --- what was drawn


def test_recorder_keeps_what_was_drawn_until_it_is_taken() -> None:
    drawn = iter([b"\x01\x02", b"\x03"])
    recorder = Recorder(lambda _: next(drawn))
    assert (recorder(2), recorder(1)) == (b"\x01\x02", b"\x03")
    assert (recorder.take(), recorder.take()) == ("010203", "")


def test_played_bytes_come_in_the_same_order_and_no_more() -> None:
    played = Played()
    played.load("010203")
    assert (played(2), played(1)) == (b"\x01\x02", b"\x03")
    with pytest.raises(JournalError, match="more random bytes than were recorded"):
        played(1)


def test_bytes_of_the_last_entry_are_gone_with_the_next() -> None:
    played = Played()
    played.load("0102")
    played.load("ff")
    assert played(1) == b"\xff"
