"""The bytes of each command of pigpio's daemon: request and answer, to the last one.

The requests are what the package pigpio sends, which is asked here; the answers follow
from the protocol. Both in hexadecimal, each word of four bytes lowest byte first: the
command, two parameters, the length of what follows or the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pigpio
import pytest
from tests.hat.twin import Running, running

from pilothat.board.pigpiowire import HEAD
from pilothat.board.revision import revision
from pilothat.runtime.pigpiod import encode
from pilothat.twin.bench import Bench, BenchSettings
from pilothat.twin.chance import Chance
from pilothat.twin.hat import Hat
from pilothat.twin.pigpio import Daemon

SCRIPT = "tag 1 w p0 1 mils 5 jmp 1"
Z = "00000000"  # a word of nothing
# call of the package, request, answer; in this order on one daemon
TRANSCRIPT: tuple[tuple[str, tuple[Any, ...], str, str], ...] = (
    ("get_pigpio_version", (), f"1a000000{Z}{Z}{Z}", f"1a000000{Z}{Z}4f000000"),
    ("get_hardware_revision", (), f"11000000{Z}{Z}{Z}", f"11000000{Z}{Z}8220a000"),
    ("set_mode", (17, 1), f"{Z}1100000001000000{Z}", f"{Z}1100000001000000{Z}"),
    ("get_mode", (17,), f"0100000011000000{Z}{Z}", f"0100000011000000{Z}01000000"),
    ("set_pull_up_down", (4, 2), f"020000000400000002000000{Z}",
     f"020000000400000002000000{Z}"),
    ("read", (4,), f"0300000004000000{Z}{Z}", f"0300000004000000{Z}01000000"),
    ("write", (17, 1), f"040000001100000001000000{Z}",
     f"040000001100000001000000{Z}"),
    ("read", (17,), f"0300000011000000{Z}{Z}", f"0300000011000000{Z}01000000"),
    ("clear_bank_1", (1 << 17,), f"0c00000000000200{Z}{Z}",
     f"0c00000000000200{Z}{Z}"),
    ("read", (17,), f"0300000011000000{Z}{Z}", f"0300000011000000{Z}{Z}"),
    ("set_bank_1", (1 << 17,), f"0e00000000000200{Z}{Z}",
     f"0e00000000000200{Z}{Z}"),
    ("hardware_PWM", (12, 1000, 50_000),
     "560000000c000000e80300000400000050c30000", f"560000000c000000e8030000{Z}"),
    ("get_PWM_dutycycle", (12,), f"530000000c000000{Z}{Z}",
     f"530000000c000000{Z}50c30000"),
    ("get_PWM_range", (12,), f"160000000c000000{Z}{Z}",
     f"160000000c000000{Z}40420f00"),
    ("get_PWM_frequency", (12,), f"170000000c000000{Z}{Z}",
     f"170000000c000000{Z}e8030000"),
    ("hardware_PWM", (5, 1000, 0), f"5600000005000000e803000004000000{Z}",
     "5600000005000000e8030000a1ffffff"),
    ("set_PWM_frequency", (7, 1000), f"0700000007000000e8030000{Z}",
     "0700000007000000e8030000e8030000"),
    ("set_PWM_range", (7, 100), f"060000000700000064000000{Z}",
     "060000000700000064000000c8000000"),
    ("set_PWM_dutycycle", (7, 25), f"050000000700000019000000{Z}",
     f"050000000700000019000000{Z}"),
    ("get_PWM_real_range", (7,), f"1800000007000000{Z}{Z}",
     f"1800000007000000{Z}c8000000"),
    ("gpio_trigger", (17, 10, 0), f"25000000110000000a00000004000000{Z}",
     f"25000000110000000a000000{Z}"),
    ("spi_open", (0, 500_000, 0x1C0), f"47000000{Z}20a1070004000000c0010000",
     f"47000000{Z}20a10700{Z}"),
    ("spi_xfer", (0, [0x07, 0x40, 0]), f"4b000000{Z}{Z}03000000074000",
     f"4b000000{Z}{Z}0300000000099a"),  # PP: 1.5 kOhm below 1 kOhm, of 4096
    ("spi_close", (0,), f"48000000{Z}{Z}{Z}", f"48000000{Z}{Z}{Z}"),
    ("spi_close", (0,), f"48000000{Z}{Z}{Z}", f"48000000{Z}{Z}e7ffffff"),
    ("store_script", (SCRIPT.encode(),),
     f"26000000{Z}{Z}19000000{SCRIPT.encode().hex()}", f"26000000{Z}{Z}{Z}"),
    ("run_script", (0, [17]), f"28000000{Z}{Z}0400000011000000",
     f"28000000{Z}{Z}{Z}"),
    ("update_script", (0, [27]), f"75000000{Z}{Z}040000001b000000",
     f"75000000{Z}{Z}{Z}"),
    ("stop_script", (0,), f"29000000{Z}{Z}{Z}", f"29000000{Z}{Z}{Z}"),
    ("delete_script", (0,), f"27000000{Z}{Z}{Z}", f"27000000{Z}{Z}{Z}"),
    ("delete_script", (0,), f"27000000{Z}{Z}{Z}", f"27000000{Z}{Z}d0ffffff"),
    ("set_glitch_filter", (4, 300), f"61000000040000002c010000{Z}",
     f"61000000040000002c010000{Z}"),
    ("set_watchdog", (4, 500), f"0900000004000000f4010000{Z}",
     f"0900000004000000f4010000{Z}"),
    ("write", (28, 1), f"040000001c00000001000000{Z}",
     "040000001c00000001000000d7ffffff"),
    ("write", (17, 2), f"040000001100000002000000{Z}",
     "040000001100000002000000fbffffff"),
    ("notify_begin", (9, 1), f"130000000900000001000000{Z}",
     "130000000900000001000000e7ffffff"),
    ("wave_clear", (), f"1b000000{Z}{Z}{Z}", f"1b000000{Z}{Z}{Z}"),
    ("i2c_open", (1, 0x50, 0), f"36000000010000005000000004000000{Z}",
     "360000000100000050000000a8ffffff"),
)  # fmt: skip


def test_twin_answers_each_request_byte_by_byte() -> None:
    board = revision()
    hat = Hat(Bench(BenchSettings(), Chance(1, "bench")), board, 0.0)
    daemon = Daemon(hat, board)
    wrong = []
    for number, (name, arguments, request, answer) in enumerate(TRANSCRIPT, 1):
        now = number / 1000
        data = bytes.fromhex(request)
        daemon.advance(now)
        command, p1, p2, _ = HEAD.unpack_from(data)
        result = daemon.handle(command, p1, p2, data[HEAD.size :], now)
        given = encode((command, p1, p2), result).hex()
        if given != answer:
            wrong.append((name, arguments, given, answer))
    assert wrong == []


class Recorder:
    """A socket, and what is sent on it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.sent = b""

    def send(self, data: bytes) -> int:
        self.sent += data
        return int(self._connection.send(data))

    def sendall(self, data: bytes) -> None:
        self.sent += data
        self._connection.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def test_requests_are_those_of_the_package(hat: Running) -> None:
    pi = pigpio.pi("127.0.0.1", hat.port)
    was_raising, pigpio.exceptions = pigpio.exceptions, False
    wrong = []
    try:
        pi.sl.s = recorder = Recorder(pi.sl.s)
        for name, arguments, request, _ in TRANSCRIPT:
            recorder.sent = b""
            getattr(pi, name)(*arguments)
            if recorder.sent.hex() != request:
                wrong.append((name, arguments, recorder.sent.hex(), request))
    finally:
        pigpio.exceptions = was_raising
        pi.stop()
    assert wrong == []
