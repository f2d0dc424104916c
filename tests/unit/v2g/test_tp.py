"""V2GTP framing."""

from __future__ import annotations

import sys

import pytest

from pilothat.v2g.tp import Frame, PayloadType, Reader, pack

EXI = int(PayloadType.EXI)
TWO = pack(EXI, b"ab") + pack(0xA000, b"cde")


def test_header_is_version_inverse_type_and_length_in_big_endian() -> None:
    assert pack(EXI, b"\x80\x9a") == bytes.fromhex("01fe 8001 00000002 809a")


@pytest.mark.parametrize("payload_type", [-1, 0x10000])
def test_payload_type_beyond_16_bits_is_refused(payload_type: int) -> None:
    with pytest.raises(ValueError, match="payload type"):
        pack(payload_type, b"")


def test_two_messages_in_one_segment_come_in_order() -> None:
    assert Reader().feed(TWO) == [Frame(EXI, b"ab"), Frame(0xA000, b"cde")]


@pytest.mark.parametrize("cut", range(len(TWO) + 1))
def test_message_cut_anywhere_is_put_together(cut: int) -> None:
    reader = Reader()
    frames = reader.feed(TWO[:cut]) + reader.feed(TWO[cut:])
    assert frames == [Frame(EXI, b"ab"), Frame(0xA000, b"cde")]


def test_message_arriving_octet_by_octet_is_put_together() -> None:
    reader = Reader()
    frames = [frame for octet in TWO for frame in reader.feed(bytes([octet]))]
    assert frames == [Frame(EXI, b"ab"), Frame(0xA000, b"cde")]


def test_payload_of_no_octets_is_a_frame() -> None:
    assert Reader().feed(pack(EXI, b"")) == [Frame(EXI, b"")]


def test_unknown_payload_type_is_handed_on_and_the_next_frame_follows() -> None:
    frames = Reader().feed(pack(0x1234, b"x") + pack(EXI, b"y"))
    assert frames == [Frame(0x1234, b"x"), Frame(EXI, b"y")]


BROKEN = {
    "version": ("02fe800100000000", "version 02 fe"),
    "inverse": ("0101800100000000", "version 01 01"),
    "too-long": ("01fe800100000005", "5 octets announced"),
    "bomb": ("01fe8001ffffffff", "4294967295 octets announced"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_stream_that_cannot_be_followed_is_broken_with_a_reason(name: str) -> None:
    octets, words = BROKEN[name]
    reader = Reader(limit=4)
    assert reader.feed(bytes.fromhex(octets)) == []
    assert words in reader.broken


def test_frames_before_the_break_still_come_and_all_after_it_is_ignored() -> None:
    reader = Reader()
    assert reader.feed(pack(EXI, b"ab") + b"GET / HTTP/1.1") == [Frame(EXI, b"ab")]
    reason = reader.broken
    assert reason
    assert reader.feed(pack(EXI, b"ab")) == []
    assert reader.broken == reason


def test_payload_at_the_limit_is_taken_and_one_octet_more_is_not() -> None:
    assert Reader(limit=4).feed(pack(EXI, b"1234")) == [Frame(EXI, b"1234")]
    reader = Reader(limit=4)
    assert reader.feed(pack(EXI, b"12345")) == []
    assert reader.broken


def test_default_limit_is_8192_octets_with_the_header() -> None:
    reader = Reader()
    assert len(reader.feed(pack(EXI, bytes(8184)))) == 1
    assert reader.feed(pack(EXI, bytes(8185))) == []
    assert reader.broken


def test_memory_follows_what_arrives_and_not_what_is_announced() -> None:
    reader = Reader(limit=1 << 30)
    reader.feed(bytes.fromhex("01fe800140000000"))
    assert sys.getsizeof(reader._held) < 1000
    assert reader.broken == ""


def test_nothing_is_held_behind_a_whole_frame_or_a_break() -> None:
    reader = Reader()
    reader.feed(TWO)
    assert len(reader._held) == 0
    reader.feed(bytes(100_000))
    assert len(reader._held) == 0
