"""Capture files: every form is read alike, and no damage is more than a word."""

from __future__ import annotations

import gzip
import io
import random
import struct

import pytest
from tests.unit.traffic import wire
from tests.unit.traffic.wire import Shot

from pilothat.traffic.capture import CaptureReader, Packet

SHOTS = [Shot(1_700_000_000.25, b"\x01" * 60), Shot(1_700_000_001.5, b"\x02" * 61, 90)]


def read(data: bytes) -> tuple[list[Packet], str]:
    reader = CaptureReader(io.BytesIO(data))
    return list(reader), reader.broken


FORMS = {
    "pcap, little endian": wire.pcap(SHOTS),
    "pcap, big endian": wire.pcap(SHOTS, ">"),
    "pcap, nanoseconds": wire.pcap(SHOTS, is_nano=True),
    "pcap, nanoseconds, big endian": wire.pcap(SHOTS, ">", is_nano=True),
    "pcapng, little endian": wire.pcapng(SHOTS),
    "pcapng, big endian": wire.pcapng(SHOTS, ">"),
    "pcapng, two sections": wire.pcapng(SHOTS[:1]) + wire.pcapng(SHOTS[1:], ">"),
}


@pytest.mark.parametrize("form", FORMS)
def test_packets_are_the_same_in_every_form(form: str) -> None:
    packets, broken = read(FORMS[form])
    assert broken == ""
    assert [one.data for one in packets] == [shot.raw for shot in SHOTS]
    assert [one.length for one in packets] == [60, 90]
    assert [one.link for one in packets] == [1, 1]
    assert [one.at_s for one in packets] == [shot.at_s for shot in SHOTS]


def option(order: str, code: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack(f"{order}HH", code, len(value)) + padded


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "tick_s"), [(9, 1e-9), (3, 1e-3), (0x8A, 2.0**-10)]
)
def test_interface_says_how_fast_its_clock_ticks(
    order: str, resolution: int, tick_s: float
) -> None:
    options = option(order, 2, b"eth1") + option(order, 9, bytes((resolution,)))
    options += option(order, 14, struct.pack(f"{order}q", 100)) + bytes(4)
    data = (
        wire.section(order)
        + wire.interface(order)
        + wire.interface(order, 113, options)
    )
    packets, _ = read(data + wire.enhanced(Shot(1000.5, b"x"), order, 1, tick_s))
    assert [one.link for one in packets] == [113]
    assert packets[0].at_s == pytest.approx(1100.5)


def test_packet_without_time_is_read() -> None:
    simple = wire.block("<", 3, struct.pack("<I", 3) + b"abc")
    packets, broken = read(wire.section() + wire.interface() + simple)
    assert (packets, broken) == ([Packet(None, 1, b"abc", 3)], "")


def test_old_packet_block_is_read() -> None:
    head = struct.pack("<HHIIII", 0, 7, 0, 2_000_000, 3, 3)
    packets, _ = read(
        wire.section() + wire.interface() + wire.block("<", 2, head + b"abc")
    )
    assert packets == [Packet(2.0, 1, b"abc", 3)]


@pytest.mark.parametrize("form", FORMS)
def test_file_cut_anywhere_gives_the_packets_before(form: str) -> None:
    data = FORMS[form]
    for end in range(4, len(data)):
        packets, _ = read(data[:end])
        assert [one.data for one in packets] == [s.raw for s in SHOTS[: len(packets)]]


def test_half_a_packet_is_told_with_its_place() -> None:
    data = wire.pcap(SHOTS)
    _, broken = read(data[:-1])
    assert broken == f"the file is cut short (packet 2, octet {len(data) - 1})"


DAMAGED = {
    "huge packet": wire.pcap([]) + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30),
    "no byte order": wire.section()[:8] + bytes(20),
    "tiny section": struct.pack("<III", 0x0A0D0D0A, 12, 0x1A2B3C4D),
    "tiny block": wire.section() + struct.pack("<II", 6, 8),
    "odd block": wire.section() + struct.pack("<II", 6, 33),
    "packet of no interface": wire.section() + wire.enhanced(SHOTS[0]),
    "simple packet of no interface": wire.section() + wire.block("<", 3, bytes(8)),
    "short packet block": wire.section()
    + wire.interface()
    + wire.block("<", 6, b"abcd"),
    "short interface": wire.section() + wire.block("<", 1, b"abcd"),
    "packet larger than its block": wire.section()
    + wire.interface()
    + wire.block("<", 6, struct.pack("<IIIII", 0, 0, 0, 99, 99)),
    "no magic": b"hello there",
    "nothing": b"",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_ends_the_reading_with_a_word(damage: str) -> None:
    packets, broken = read(DAMAGED[damage])
    assert packets == []
    assert "(packet 1, octet " in broken


@pytest.mark.parametrize("seed", range(60))
def test_mutated_file_never_raises(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(sorted(FORMS.items())[seed % len(FORMS)][1])
    for _ in range(3):
        data[chance.randrange(4, len(data))] = chance.randrange(256)
    packets, _ = read(bytes(data))
    assert len(packets) <= 10


def test_broken_packing_is_told() -> None:
    packed = bytearray(gzip.compress(wire.pcap(SHOTS * 100), mtime=0))
    packed[-5] ^= 0xFF  # of the checksum
    reader = CaptureReader(gzip.GzipFile(fileobj=io.BytesIO(bytes(packed))))
    assert len(list(reader)) <= 200
    assert "cannot be read" in reader.broken
