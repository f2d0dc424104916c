"""How the kernel of a twin is asked: one packet a call, one packet its answer."""

from __future__ import annotations

import struct
from enum import IntEnum

PACKET_BYTES = 65_536
REQUEST = struct.Struct("<IBiI")  # number, call, handle, request; then the data
REPLY = struct.Struct("<Ii")  # the same number, result or -errno; then the data
SPI_HEAD = struct.Struct("<II")  # of a transfer's data: Hz, bytes in a frame


class Call(IntEnum):
    """What a kernel is asked for; data is a path unless it says otherwise."""

    NAMES = 1
    TARGET = 2
    READ = 3
    WRITE = 4  # a path, 0, the text
    OPEN = 5
    IOCTL = 6  # what the request is about
    TRANSFER = 7  # SPI_HEAD, and all frames
    CLOSE = 8
