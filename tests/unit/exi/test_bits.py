"""Bits, numbers, octets, strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.exi.bits import (
    WINDOW_BYTES,
    BitReader,
    FlawError,
    Tolerance,
    join,
    number_octets,
    put_octets,
    put_string,
)

NUMBERS = {
    "00": 0,
    "01": 1,
    "7f": 127,
    "8001": 128,
    "ff7f": 16383,
    "808001": 16384,
    "ffffffff0f": 2**32 - 1,
    "ffffffffffffffffff01": 2**64 - 1,
}
LONG = bytes(range(256)) * 3


def octets_of(stream: int) -> bytes:
    """Return what stands in a stream of whole octets behind its first."""
    return stream.to_bytes(stream.bit_length() // 8, "big")[1:]


@pytest.mark.parametrize("octets", NUMBERS)
def test_number_is_read_and_written_in_groups_of_seven(octets: str) -> None:
    assert BitReader(bytes.fromhex(octets)).number() == NUMBERS[octets]
    assert number_octets(NUMBERS[octets]).hex() == octets


def test_over_long_number_keeps_its_value_and_is_noted() -> None:
    source = BitReader(bytes.fromhex("8500"))
    assert source.number() == 5
    assert source.notes == [Tolerance.OVER_LONG_INTEGER]


def test_number_of_ten_groups_is_read_and_one_of_eleven_is_refused() -> None:
    assert BitReader(b"\x80" * 9 + b"\x01").number() == 1 << 63
    with pytest.raises(FlawError, match="more than 10 groups"):
        BitReader(b"\x80" * 10 + b"\x01").number()


def test_bits_are_taken_most_significant_first_across_octets() -> None:
    source = BitReader(bytes([0b10110011, 0b01010101]))
    assert [source.take(3), source.take(7), source.take(6)] == [0b101, 77, 0b010101]
    assert (source.bit, source.remaining) == (16, 0)


def test_reading_beyond_the_end_is_a_flaw() -> None:
    source = BitReader(b"\xff")
    source.take(7)
    with pytest.raises(FlawError, match="cut short"):
        source.take(2)


@pytest.mark.parametrize("width", [1, 3, 7, 8, 13, 64])
def test_windows_join_without_a_seam(width: int) -> None:
    source = BitReader(LONG)
    count = len(LONG) * 8 // width
    bits = "".join([format(source.take(width), f"0{width}b") for _ in range(count)])
    assert (
        bits == format(int.from_bytes(LONG, "big"), f"0{len(LONG) * 8}b")[: len(bits)]
    )


def test_window_stays_small_on_a_long_input() -> None:
    source = BitReader(LONG)
    sizes = [source.value.bit_length() for _ in range(len(LONG)) if source.take(8) >= 0]
    assert max(sizes) <= (WINDOW_BYTES + 1) * 8
    assert source.remaining == 0


@pytest.mark.parametrize("skew", range(8))
@pytest.mark.parametrize("count", [0, 1, WINDOW_BYTES - 1, WINDOW_BYTES, 300])
def test_octets_are_read_from_any_bit(skew: int, count: int) -> None:
    number = int.from_bytes(LONG[:count], "big") << 8 - skew | 1  # ends in a single 1
    source = BitReader(number.to_bytes(count + 1, "big"))
    assert source.take(skew) == 0
    assert source.octets(count) == LONG[:count]
    assert source.take(8 - skew) == 1
    assert source.remaining == 0


def test_octets_beyond_the_end_are_a_flaw() -> None:
    with pytest.raises(FlawError, match="3 octets announced, 2 left"):
        BitReader(b"ab").octets(3)


def test_parts_join_to_the_same_stream_as_one_by_one() -> None:
    part = put_octets(1, b"bc")
    assert join(put_octets(1, b"a"), part) == put_octets(1, b"abc")


def test_part_of_leading_zeros_keeps_them() -> None:
    assert join(1, put_octets(1, b"\0\1")) == put_octets(1, b"\0\1")


@given(st.text(max_size=300))
def test_string_survives(text: str) -> None:
    source = BitReader(octets_of(put_string(0x80, text)))
    assert source.string("Name") == text
    assert source.remaining == 0


def test_string_is_found_again_by_name_and_by_order_of_appearance() -> None:
    source = BitReader(
        bytes.fromhex("034103420343") + bytes([0b00000000, 0b00000001, 0b10000000])
    )
    assert [source.string(name) for name in "aba"] == ["A", "B", "C"]
    assert source.string("b") == "B"
    assert source.string("c") == "C"
    assert source.notes == [Tolerance.STRING_TABLE_HIT] * 2


def test_empty_string_is_not_kept() -> None:
    source = BitReader(bytes.fromhex("0200"))
    source.string("a")
    with pytest.raises(FlawError, match="string 0 of 0"):
        source.string("a")
