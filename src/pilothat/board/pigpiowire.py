"""What pigpio's daemon understands on its socket: numbers and frames.

A request is four words (command, p1, p2, length of the extension) and the extension; a
reply repeats the first three and ends in the result, negative for an error. Some
replies are followed by as many bytes as the result says. All little endian, answered
strictly in order.
"""

from __future__ import annotations

import struct
from enum import IntEnum

PORT = 8888
MAX_EXTENSION = 65_536
HEAD = struct.Struct("<4I")
RESULT = struct.Struct("<3Ii")
RECORD = struct.Struct("<2H2I")  # of a notification: sequence, flags, tick, levels
KEEP_ALIVE = 1 << 6  # flag of a record
WATCHDOG = 1 << 5  # the same; the GPIO is in the bits below


class Cmd(IntEnum):
    """Commands that we send or answer."""

    MODES = 0
    MODEG = 1
    PUD = 2
    READ = 3
    WRITE = 4
    PWM = 5
    PRS = 6
    PFS = 7
    WDOG = 9
    BR1 = 10
    BC1 = 12
    BS1 = 14
    TICK = 16
    HWVER = 17
    NO = 18
    NB = 19
    NP = 20
    NC = 21
    PRG = 22
    PFG = 23
    PRRG = 24
    PIGPV = 26
    WVCLR = 27
    WVBSY = 32
    WVHLT = 33
    TRIG = 37
    PROC = 38
    PROCD = 39
    PROCR = 40
    PROCS = 41
    PROCP = 45
    SPIO = 71
    SPIC = 72
    SPIR = 73
    SPIW = 74
    SPIX = 75
    GDC = 83
    HP = 86
    FG = 97
    FN = 98
    NOIB = 99
    PROCU = 117


class Err(IntEnum):
    """Negative results."""

    BAD_USER_GPIO = -2
    BAD_GPIO = -3
    BAD_MODE = -4
    BAD_LEVEL = -5
    BAD_PUD = -6
    BAD_DUTY = -8
    BAD_WDOG_TIMEOUT = -15
    BAD_DUTY_RANGE = -21
    NO_HANDLE = -24
    BAD_HANDLE = -25
    NOT_PERMITTED = -41
    SOME_PERMITTED = -42
    BAD_PULSE_LENGTH = -46
    BAD_SCRIPT = -47
    BAD_SCRIPT_ID = -48
    DUP_TAG = -53
    BAD_SCRIPT_CMD = -55
    NO_SCRIPT_ROOM = -57
    TOO_MANY_PARAM = -61
    BAD_TAG = -63
    BAD_SPI_CHANNEL = -76
    BAD_FLAGS = -77
    BAD_SPI_SPEED = -78
    BAD_SPI_COUNT = -84
    UNKNOWN_COMMAND = -88
    NOT_PWM_GPIO = -92
    NOT_HPWM_GPIO = -95
    BAD_HPWM_FREQUENCY = -96
    BAD_HPWM_DUTY = -97
    BAD_FILTER = -125


class Mode(IntEnum):
    """Functions of a pin."""

    INPUT = 0
    OUTPUT = 1
    ALT5 = 2
    ALT4 = 3
    ALT0 = 4
    ALT1 = 5
    ALT2 = 6
    ALT3 = 7


class Pull(IntEnum):
    """Resistors of a pin."""

    OFF = 0
    DOWN = 1
    UP = 2


class ScriptStatus(IntEnum):
    """What a script of the daemon does."""

    INITIALISING = 0
    HALTED = 1
    RUNNING = 2
    WAITING = 3
    FAILED = 4


AUX_SPI = 1 << 8  # flag of SPIO: SPI1 instead of SPI0
CE_IS_FREE = (1 << 5, 1 << 6, 1 << 7)  # flags of SPIO: CE0..CE2 stay what they are
CARRIES_DATA = frozenset({Cmd.PROCP, Cmd.SPIR, Cmd.SPIX})


def request(command: int, p1: int = 0, p2: int = 0, extension: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    return HEAD.pack(command, p1, p2, len(extension)) + extension


def words(*values: int) -> bytes:
    """Return an extension of 32-bit words."""
    return struct.pack(f"<{len(values)}I", *values)
