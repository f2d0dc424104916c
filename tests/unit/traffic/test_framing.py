"""V2GTP in a stream with flaws: each is told, and the next message is found."""

from __future__ import annotations

import random

import pytest

from pilothat.traffic.framing import MOST_PAYLOAD_BYTES, Framer
from pilothat.traffic.order import Gap
from pilothat.v2g.tp import Frame, pack

ONE, TWO = pack(0x8001, b"\x80one"), pack(0x8002, b"\x80second")
FRAMES = [Frame(0x8001, b"\x80one"), Frame(0x8002, b"\x80second")]


def test_messages_are_cut_out() -> None:
    assert Framer().feed(ONE + TWO) == FRAMES


def test_messages_come_octet_by_octet() -> None:
    framer = Framer()
    found = [one for octet in ONE + TWO for one in framer.feed(bytes((octet,)))]
    assert [*found, *framer.end()] == FRAMES


def test_gap_is_told_and_the_next_message_found() -> None:
    framer = Framer()
    assert framer.feed(ONE[:9]) == []
    assert framer.feed(Gap(3)) == ["gap of 3 octets after 9 of a message"]
    assert framer.feed(TWO) == FRAMES[1:]
    assert framer.feed(Gap(None)) == ["gap of unknown size"]


def test_rest_of_a_lost_message_is_skipped() -> None:
    framer = Framer()
    framer.feed(Gap(10))
    found = framer.feed(b"\x01\xferest\x01" + TWO)
    assert found == ["7 octets skipped, up to the next header", FRAMES[1]]


@pytest.mark.parametrize("at", range(1, 8))
def test_header_that_comes_in_two_parts_is_found(at: int) -> None:
    framer = Framer(is_lost=True)
    assert framer.feed(b"rest" + TWO[:at]) == []
    assert framer.feed(TWO[at:]) == [
        "4 octets skipped, up to the next header",
        FRAMES[1],
    ]


def test_wrong_version_is_told_once() -> None:
    framer = Framer()
    assert framer.feed(b"\x01\xff\x80\x01" + bytes(8)) == [
        "version 01 ff instead of 01 fe"
    ]
    assert framer.feed(bytes(100)) == []
    assert framer.feed(TWO)[-1] == FRAMES[1]
    assert framer.end() == []


def test_length_bomb_is_refused_and_what_follows_is_read() -> None:
    framer = Framer()
    bomb = b"\x01\xfe\x80\x01\xff\xff\xff\xff"
    found = framer.feed(bomb + TWO)
    assert (
        found[0] == f"4294967295 octets announced, at most {MOST_PAYLOAD_BYTES} allowed"
    )
    assert found[-1] == FRAMES[1]


def test_unknown_type_is_a_message_in_a_row_but_no_place_to_begin_anew() -> None:
    odd = pack(0x1234, b"x")
    assert Framer().feed(odd) == [Frame(0x1234, b"x")]
    assert Framer(is_lost=True).feed(odd) == []


def test_rest_at_the_end_is_told() -> None:
    framer = Framer()
    framer.feed(ONE + TWO[:5])
    assert framer.end() == ["the last 5 octets are no whole message"]
    assert framer.end() == []


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_survived_and_held_short(seed: int) -> None:
    chance = random.Random(seed)
    framer = Framer(is_lost=bool(seed % 2))
    for _ in range(50):
        framer.feed(chance.randbytes(chance.randrange(300)))
    framer.feed(Gap(5))
    assert framer.feed(ONE)[-1] == FRAMES[0]
