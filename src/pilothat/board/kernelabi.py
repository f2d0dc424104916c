"""The kernel's own words: requests for GPIO lines and for SPI messages (Linux uAPI).

Layouts and numbers are those of ``linux/gpio.h`` (version 2 of its interface) and
``linux/spi/spidev.h``; a number carries the size of what is passed. Driver and twin
both read and write them here.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence

from pilothat.frozen import dataclass

GPIO_GET_CHIPINFO = 0x8044_B401
GPIO_GET_LINES = 0xC250_B407
GPIO_GET_VALUES = 0xC010_B40E
GPIO_SET_VALUES = 0xC010_B40F
SPI_SET_MODE = 0x4001_6B01
SPI_SET_BITS = 0x4001_6B03
SPI_MESSAGE = 0x4000_6B00  # and the size of all its descriptors
SPI_MOST = 511  # descriptors in a message: their size has 14 bits
_SIZE_AT, _SIZE_BITS = 16, 14

CHIP_INFO = struct.Struct("=32s32sI")  # name, label, count of lines
LINE_VALUES = struct.Struct("=QQ")  # bits, and which of them count
LINES_MOST = 64
ATTRIBUTES_MOST = 10
FLAGS, VALUES = 1, 2  # kinds of attributes
INPUT, OUTPUT, PULL_DOWN = 1 << 2, 1 << 3, 1 << 9  # flags of a line

_OFFSETS = struct.Struct(f"={LINES_MOST}I")
_CONSUMER = struct.Struct("=32s")
_CONFIG = struct.Struct("=QI20x")  # flags, count of attributes
_ATTRIBUTE = struct.Struct("=I4xQQ")  # kind, value, lines
_REST = struct.Struct("=II20xi")  # count of lines, event buffer, descriptor
_CONFIG_AT = _OFFSETS.size + _CONSUMER.size
_ATTRIBUTES_AT = _CONFIG_AT + _CONFIG.size
_REST_AT = _ATTRIBUTES_AT + ATTRIBUTES_MOST * _ATTRIBUTE.size
LINES_BYTES = _REST_AT + _REST.size

# tx, rx, length, Hz, delay us, bits, CS changes, tx and rx lines, delay of words
_DESCRIPTOR = struct.Struct("=QQIIHBBBBBx")
DESCRIPTOR_BYTES = _DESCRIPTOR.size
_WORD_BITS = 8


def size_of(request: int) -> int:
    """Return the size that a request's number carries."""
    return request >> _SIZE_AT & ((1 << _SIZE_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a chip that are asked for together.

    offsets: of the chip's lines; bit n of all masks is the n-th of them
    flags:   of each line, by offset
    high:    the outputs that begin high
    """

    offsets: Sequence[int]
    flags: Mapping[int, int]
    consumer: str
    high: Sequence[int] = ()

    def packed(self) -> bytes:
        """Return the request; outputs without an attribute of theirs begin low."""
        masks: dict[int, int] = {}
        for place, offset in enumerate(self.offsets):
            flags = self.flags[offset]
            masks[flags] = masks.get(flags, 0) | 1 << place
        high = sum(1 << self.offsets.index(offset) for offset in self.high)
        outputs = sum(mask for flags, mask in masks.items() if flags & OUTPUT)
        attributes = [(FLAGS, flags, mask) for flags, mask in masks.items()]
        if outputs:
            attributes.append((VALUES, high, outputs))
        made = bytearray(LINES_BYTES)
        count = len(self.offsets)
        _OFFSETS.pack_into(made, 0, *self.offsets, *(0,) * (LINES_MOST - count))
        _CONSUMER.pack_into(made, _OFFSETS.size, self.consumer.encode())
        _CONFIG.pack_into(made, _CONFIG_AT, 0, len(attributes))
        for number, attribute in enumerate(attributes):
            place = _ATTRIBUTES_AT + number * _ATTRIBUTE.size
            _ATTRIBUTE.pack_into(made, place, *attribute)
        _REST.pack_into(made, _REST_AT, count, 0, 0)
        return bytes(made)


def lines(request: bytes) -> Lines:
    """Read a request. Raises ValueError for one that cannot be."""
    count, _, _ = _REST.unpack_from(request, _REST_AT)
    common, attributes = _CONFIG.unpack_from(request, _CONFIG_AT)
    if not 0 < count <= LINES_MOST or attributes > ATTRIBUTES_MOST:
        raise ValueError(f"{count} lines, {attributes} attributes")
    offsets = _OFFSETS.unpack_from(request)[:count]
    flags = dict.fromkeys(offsets, common)
    high: list[int] = []
    for number in range(attributes):
        kind, value, mask = _ATTRIBUTE.unpack_from(
            request, _ATTRIBUTES_AT + number * _ATTRIBUTE.size
        )
        meant = [offset for place, offset in enumerate(offsets) if mask >> place & 1]
        if kind == FLAGS:
            flags.update(dict.fromkeys(meant, value))
        elif kind == VALUES:
            high = [one for one in meant if value >> offsets.index(one) & 1]
        else:
            raise ValueError(f"attribute {kind}")
    consumer = _CONSUMER.unpack_from(request, _OFFSETS.size)[0]
    return Lines(offsets, flags, consumer.rstrip(b"\0").decode("latin-1"), high)


def descriptor_of(request: bytes) -> int:
    """Return the file descriptor that the kernel put into a request for lines."""
    return int(_REST.unpack_from(request, _REST_AT)[2])


def with_descriptor(request: bytes, descriptor: int) -> bytes:
    """Return a request for lines as the kernel gives it back."""
    return request[:-4] + struct.pack("=i", descriptor)


class SpiMessage:
    """Frames that are exchanged one right after the other; made once, used often.

    Each has a descriptor of its own, after which the chip select is released, but for
    the last: there the kernel does that by itself, and a set flag would keep it.
    """

    def __init__(self, frames: Sequence[bytes], speed_hz: int) -> None:
        self.sent = b"".join(frames)
        self.speed_hz = speed_hz
        self.frame_bytes = len(frames[0])
        self.request = SPI_MESSAGE | len(frames) * DESCRIPTOR_BYTES << _SIZE_AT
        self._tx = ctypes.create_string_buffer(self.sent, len(self.sent))
        self._rx = ctypes.create_string_buffer(len(self.sent))
        self.descriptors = bytearray(len(frames) * DESCRIPTOR_BYTES)
        tx, rx = ctypes.addressof(self._tx), ctypes.addressof(self._rx)
        place = 0
        for number, frame in enumerate(frames):
            is_last = number == len(frames) - 1
            # fmt: off
            _DESCRIPTOR.pack_into(
                self.descriptors, number * DESCRIPTOR_BYTES, tx + place, rx + place,
                len(frame), speed_hz, 0, _WORD_BITS, int(not is_last), 0, 0, 0,
            )
            # fmt: on
            place += len(frame)

    @property
    def received(self) -> bytes:
        """What came in, as long as all that was sent."""
        return self._rx.raw
