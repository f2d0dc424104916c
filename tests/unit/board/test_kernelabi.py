"""What the kernel is passed, byte for byte as a C compiler lays it out."""

from __future__ import annotations

import ctypes
import struct

import pytest

from pilothat.board import kernelabi as abi
from pilothat.board.kernelabi import Lines, SpiMessage

OUT, IN = abi.OUTPUT, abi.INPUT | abi.PULL_DOWN
LINES = Lines((13, 22, 4, 5), {13: OUT, 22: OUT, 4: IN, 5: IN}, "pilothat", (22,))


def u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def test_request_for_lines_byte_by_byte() -> None:
    attributes = (
        u32(1, 0) + u64(1 << 3, 0b0011)  # flags: outputs
        + u32(1, 0) + u64(1 << 2 | 1 << 9, 0b1100)  # flags: inputs, pulled down
        + u32(2, 0) + u64(0b0010, 0b0011)  # levels of the outputs
        + bytes(24 * 7)
    )  # fmt: skip
    assert LINES.packed() == (
        u32(13, 22, 4, 5, *[0] * 60)
        + b"pilothat".ljust(32, b"\0")
        + u64(0) + u32(3) + bytes(20)
        + attributes
        + u32(4, 0) + bytes(20) + u32(0)
    )  # fmt: skip


def test_request_for_lines_is_read_as_it_was_meant() -> None:
    read = abi.lines(LINES.packed())
    assert tuple(read.offsets) == LINES.offsets
    assert read.flags == LINES.flags
    assert (read.consumer, tuple(read.high)) == ("pilothat", (22,))


def test_flags_for_all_lines_hold_where_no_attribute_says_otherwise() -> None:
    made = bytearray(LINES.packed())
    made[288:300] = u64(abi.INPUT) + u32(0)  # no attributes any more
    read = abi.lines(bytes(made))
    assert set(read.flags.values()) == {abi.INPUT}
    assert list(read.high) == []


@pytest.mark.parametrize(("at", "value"), [(560, 0), (560, 65), (296, 11), (320, 9)])
def test_request_that_cannot_be_is_a_value_error(at: int, value: int) -> None:
    """No lines, too many lines, too many attributes, an unknown one."""
    made = bytearray(LINES.packed())
    made[at : at + 4] = u32(value)
    with pytest.raises(ValueError, match=r"lines|attribute"):
        abi.lines(bytes(made))


def test_descriptor_is_the_last_word() -> None:
    given = abi.with_descriptor(LINES.packed(), 7)
    assert given[:-4] == LINES.packed()[:-4]
    assert abi.descriptor_of(given) == 7


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("GPIO_GET_CHIPINFO", 0x8044B401),
        ("GPIO_GET_LINES", 0xC250B407),
        ("GPIO_GET_VALUES", 0xC010B40E),
        ("GPIO_SET_VALUES", 0xC010B40F),
        ("SPI_SET_MODE", 0x40016B01),
        ("SPI_SET_BITS", 0x40016B03),
    ],
)
def test_numbers_are_those_of_the_headers(name: str, number: int) -> None:
    assert getattr(abi, name) == number


def test_numbers_carry_the_sizes_of_the_structs() -> None:
    sizes = [
        (abi.GPIO_GET_CHIPINFO, abi.CHIP_INFO.size),
        (abi.GPIO_GET_LINES, abi.LINES_BYTES),
        (abi.GPIO_GET_VALUES, abi.LINE_VALUES.size),
    ]
    assert [abi.size_of(number) for number, _ in sizes] == [68, 592, 16]
    assert [size for _, size in sizes] == [68, 592, 16]


def test_spi_message_byte_by_byte() -> None:
    message = SpiMessage([b"\x06\x00\x00", b"\x06\x40\x00"], 1_000_000)
    assert message.request == 0x40406B00
    first, second = message.descriptors[:32], message.descriptors[32:]
    tx, rx = struct.unpack_from("<QQ", first)
    rest = u32(3, 1_000_000) + struct.pack("<HBBBBBx", 0, 8, 1, 0, 0, 0)
    assert first == u64(tx, rx) + rest
    last = u32(3, 1_000_000) + struct.pack("<HBBBBBx", 0, 8, 0, 0, 0, 0)
    assert second == u64(tx + 3, rx + 3) + last
    assert ctypes.string_at(tx, 6) == message.sent == b"\x06\x00\x00\x06\x40\x00"
    ctypes.memmove(rx, b"abcdef", 6)
    assert message.received == b"abcdef"


@pytest.mark.parametrize(
    ("count", "number"), [(1, 0x40206B00), (25, 0x43206B00), (abi.SPI_MOST, 0x7FE06B00)]
)
def test_number_of_an_spi_message_carries_its_size(count: int, number: int) -> None:
    assert SpiMessage([b"\0\0\0"] * count, 1).request == number
