"""The lines between station and Arduino: whole, cut, garbled, and of somebody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.board.wallboxwire import (
    LONGEST,
    Lines,
    Status,
    Why,
    Wish,
    read_status,
    read_wish,
    status_line,
    wish_line,
)
from pilothat.pilot.levels import PilotSample

WISH = Wish(17, 5.0, is_contactor_on=True, is_supply_on=False)
# as a simulated processor has said it, with our sketch
SAID = (
    b'{"v":1,"t":90,"n":2,"w":100,"hi":5951,"lo":-12008,"k":1,"e":1,"fb":0,"es":1,'
    b'"rcm":1,"lease":373,"bad":0,"why":"","crc":"6847"}'
)
STATUS = Status(
    up_s=0.09,
    number=2,
    duty_pct=5.0,
    high_v=5.951,
    low_v=-12.008,
    is_contactor_on=True,
    is_supply_on=True,
    is_contactor_closed=False,
    is_estop_released=True,
    is_rcm_good=True,
    lease_s=0.373,
    refused=0,
    why=Why.NOTHING,
)


def test_wish_is_a_line_and_back() -> None:
    assert wish_line(WISH) == b"W 17 100 1 0 0727\n"
    assert read_wish(b"W 17 100 1 0 0727") == WISH


def test_state_that_a_processor_has_said_is_read_and_written_alike() -> None:
    assert read_status(SAID) == STATUS
    assert status_line(STATUS) == SAID + b"\n"


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_has_its_word(why: Why) -> None:
    line = SAID.replace(b'"why":""', b'"why":"%s"' % why.value.encode())
    body, _, _ = line.rpartition(b',"crc"')
    found = read_status(signed(body))
    assert found is not None
    assert found.why is why


def signed(body: bytes) -> bytes:
    """Return a state's line with a checksum that fits, which is worked out here."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return body + b',"crc":"%04x"}' % crc


@pytest.mark.parametrize("size", range(len(SAID)))
def test_cut_state_is_none(size: int) -> None:
    assert read_status(SAID[:size]) is None


@pytest.mark.parametrize("bit", range(0, len(SAID) * 8, 7))
def test_state_with_a_wrong_bit_is_none(bit: int) -> None:
    garbled = bytearray(SAID)
    garbled[bit // 8] ^= 1 << bit % 8
    assert read_status(bytes(garbled)) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"v":2,"t":90',
        b'{"v":1,"t":90',
        b"[1",
        b"{",
        SAID.partition(b',"crc"')[0].replace(b'"hi":5951', b'"hi":null'),
        SAID.partition(b',"crc"')[0].replace(b'"n":2', b'"n":{}'),
        SAID.partition(b',"crc"')[0].replace(b'"why":""', b'"why":"mood"'),
    ],
)
def test_state_with_a_good_checksum_that_is_none_of_ours_is_none(body: bytes) -> None:
    assert read_status(signed(body)) is None


@given(st.binary(max_size=80))
def test_rubbish_is_nothing(line: bytes) -> None:
    assert read_status(line) is None
    assert read_wish(line) is None


@pytest.mark.parametrize("bit", range(8 * len(wish_line(WISH)[:-1])))
def test_wish_with_a_wrong_bit_is_none(bit: int) -> None:
    garbled = bytearray(wish_line(WISH)[:-1])
    garbled[bit // 8] ^= 1 << bit % 8
    assert read_wish(bytes(garbled)) is None


def test_low_half_wave_is_told_only_where_there_is_one() -> None:
    steady = read_status(signed(SAID.partition(b',"crc"')[0].replace(b"100", b"2000")))
    assert STATUS.sample == PilotSample(5.951, -12.008)
    assert steady is not None
    assert steady.sample == PilotSample(5.951, None)


def test_lines_end_where_they_end_however_they_come() -> None:
    whole, single = b"one\r\ntwo\n\nthree", Lines()
    one_by_one = [single.take(bytes([byte])) for byte in whole]
    assert Lines().take(whole) == [b"one", b"two", b""]
    assert [line for lines in one_by_one for line in lines] == [b"one", b"two", b""]


def test_line_without_end_takes_no_memory_and_is_none() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.take(b"x" * 1000) == []
    assert len(lines._rest) <= LONGEST
    assert lines.take(b"y\nW\n")[-1] == b"W"
