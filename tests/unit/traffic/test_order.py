"""TCP put in order: nothing twice, no loss in silence, no waiting in vain."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from pilothat.traffic.order import (
    FAR_BYTES,
    MOST_HELD_BYTES,
    MOST_HELD_SEGMENTS,
    PATIENCE_S,
    Chunk,
    Direction,
    Gap,
)

DATA = bytes(range(256)) * 4


def joined(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))


def test_segments_in_order_pass() -> None:
    one = Direction()
    assert one.feed(100, b"abc", 0.0) == [b"abc"]
    assert one.feed(103, b"de", 0.0) == [b"de"]


def test_late_segment_is_waited_for() -> None:
    one = Direction()
    assert one.feed(100, b"abc", 0.0) == [b"abc"]
    assert one.feed(105, b"fg", 0.0) == []
    assert one.feed(103, b"de", 0.1) == [b"de", b"fg"]


def test_sequence_numbers_run_over() -> None:
    one = Direction()
    one.start(2**32 - 3)
    assert one.feed(2**32 - 2, b"abcd", 0.0) == [b"abcd"]
    assert one.feed(2, b"ef", 0.0) == [b"ef"]


@pytest.mark.parametrize(
    ("seq", "data", "fresh"),
    [(100, b"abc", []), (101, b"bc", []), (102, b"cde", [b"de"]), (99, b"-", [])],
)
def test_what_was_there_before_is_left_out(
    seq: int, data: bytes, fresh: list[bytes]
) -> None:
    one = Direction()
    one.feed(100, b"abc", 0.0)
    assert one.feed(seq, data, 0.0) == fresh


def test_overlapping_segments_behind_a_hole_are_joined_once() -> None:
    one = Direction()
    one.feed(100, b"a", 0.0)
    one.feed(103, b"def", 0.0)
    one.feed(103, b"de", 0.0)
    one.feed(105, b"fgh", 0.0)
    assert joined(one.feed(101, b"bcd", 0.0)) == b"bcdefgh"


def test_acknowledged_hole_is_a_gap() -> None:
    one = Direction()
    one.feed(100, b"abc", 0.0)
    one.feed(110, b"xyz", 0.0)
    assert one.acknowledge(109, 0.0) == []
    assert one.acknowledge(113, 0.0) == [Gap(7), b"xyz"]


def test_hole_that_was_acknowledged_before_is_a_gap_at_once() -> None:
    one = Direction()
    one.feed(100, b"abc", 0.0)
    one.acknowledge(110, 0.0)
    assert one.feed(110, b"xyz", 0.0) == [Gap(7), b"xyz"]


def test_patience_ends() -> None:
    one = Direction()
    one.feed(100, b"abc", 0.0)
    one.feed(110, b"x", 0.0)
    assert one.feed(111, b"y", PATIENCE_S) == []
    assert one.feed(112, b"z", PATIENCE_S + 0.01) == [Gap(7), b"x", b"y", b"z"]


def test_what_waits_is_bounded_in_octets() -> None:
    one = Direction()
    one.feed(0, b"a", 0.0)
    assert one.feed(2, bytes(MOST_HELD_BYTES), 0.0) == []
    assert one.feed(2 + MOST_HELD_BYTES, b"b", 0.0)[0] == Gap(1)


def test_what_waits_is_bounded_in_segments() -> None:
    one = Direction()
    one.feed(0, b"a", 0.0)
    waiting = [one.feed(2 * n, b"b", 0.0) for n in range(1, MOST_HELD_SEGMENTS + 2)]
    assert waiting[:-1] == [[]] * MOST_HELD_SEGMENTS
    assert waiting[-1] == [Gap(1), b"b"]


def test_jump_is_a_gap_of_unknown_size() -> None:
    one = Direction()
    one.feed(0, b"a", 0.0)
    assert one.feed(FAR_BYTES + 2, b"b", 0.0) == [Gap(None), b"b"]
    assert one.feed(FAR_BYTES + 3, b"c", 0.0) == [b"c"]


def test_end_gives_what_waits() -> None:
    one = Direction()
    one.feed(100, b"abc", 0.0)
    one.feed(110, b"xyz", 0.0)
    assert one.flush() == [Gap(7), b"xyz"]
    assert one.flush() == []


@pytest.mark.parametrize("seed", range(30))
def test_shuffled_repeated_and_recut_segments_give_the_same_octets(seed: int) -> None:
    chance = random.Random(seed)
    cuts = [0, *sorted(chance.sample(range(1, len(DATA)), 40)), len(DATA)]
    parts = [(a, DATA[a:b]) for a, b in pairwise(cuts)]
    parts += [(a, DATA[a : a + 90]) for a in chance.sample(range(len(DATA)), 20)]
    chance.shuffle(parts)
    one = Direction()
    one.start(2**32 - 500)
    chunks: list[Chunk] = []
    for at, data in parts:
        chunks += one.feed((2**32 - 499 + at) % 2**32, data, 0.0)
    assert joined(chunks) == DATA
    assert Gap not in map(type, chunks)
