"""The daemon's commands: results and errors by the numbers its clients know."""

from __future__ import annotations

import struct
from random import Random

import pytest

from pilothat.board.pigpiowire import RECORD, Cmd, ScriptStatus, words
from pilothat.board.revision import revision
from pilothat.runtime.pigpiod import encode
from pilothat.twin.bench import Bench, BenchSettings
from pilothat.twin.hat import Hat
from pilothat.twin.pigpio import Daemon, Result, convert

REV = revision()
PINS = REV.pins
DEAD_MAN = (
    "ld v0 0 ld v1 0 tag 1 mils 20 lda p0 cmp v0 jnz 2 inr v1 lda v1 cmp p1 jm 1 "
    "hp p2 1000 0 w p3 0 w p4 0 jmp 1 tag 2 sta v0 ld v1 0 jmp 1"
)


class Pi:
    """A daemon and its clock."""

    def __init__(self) -> None:
        bench = Bench(BenchSettings(), Random(1).randbytes)
        self.hat = Hat(bench, REV, 0.0)
        self.daemon = Daemon(self.hat, REV)
        self.now = 0.0

    def do(self, command: int, p1: int = 0, p2: int = 0, ext: bytes = b"") -> Result:
        return self.daemon.handle(command, p1, p2, ext, self.now)

    def script(self, text: str, *parameters: int) -> int:
        number = self.do(Cmd.PROC, 0, 0, text.encode())
        assert isinstance(number, int)
        assert self.do(Cmd.PROCR, number, 0, words(*parameters)) == 0
        return number

    def wait(self, duration_s: float) -> None:
        for _ in range(round(duration_s / 0.01)):
            self.now += 0.01
            self.daemon.advance(self.now)


@pytest.fixture
def pi() -> Pi:
    return Pi()


@pytest.mark.parametrize(
    ("command", "p1", "p2", "ext", "result"),
    [
        (Cmd.PIGPV, 0, 0, b"", 79),
        (Cmd.HWVER, 0, 0, b"", 0xA02082),
        (Cmd.WVCLR, 0, 0, b"", 0),
        (Cmd.WVBSY, 0, 0, b"", 0),
        (53, 0, 0, b"", -88),
        (4711, 0, 0, b"", -88),
        (Cmd.MODES, 54, 0, b"", -3),
        (Cmd.MODES, 22, 8, b"", -4),
        (Cmd.MODES, 28, 0, b"", -41),
        (Cmd.PUD, 22, 3, b"", -6),
        (Cmd.READ, 54, 0, b"", -3),
        (Cmd.READ, 2, 0, b"", 1),
        (Cmd.READ, 9, 0, b"", 0),
        (Cmd.WRITE, 22, 2, b"", -5),
        (Cmd.WRITE, 1, 0, b"", -41),
        (Cmd.BS1, 0x3, 0, b"", -41),
        (Cmd.BS1, 0x7, 0, b"", -42),
        (Cmd.PWM, 20, 256, b"", -8),
        (Cmd.PWM, 60, 0, b"", -2),
        (Cmd.PRS, 20, 24, b"", -21),
        (Cmd.PFS, 20, 990, b"", 1000),
        (Cmd.GDC, 20, 0, b"", -92),
        (Cmd.PRG, 20, 0, b"", 255),
        (Cmd.HP, 5, 1000, words(0), -95),
        (Cmd.HP, 12, 125_000_001, words(0), -96),
        (Cmd.HP, 12, 1000, words(1_000_001), -97),
        (Cmd.FG, 4, 300_001, b"", -125),
        (Cmd.FN, 32, 0, b"", -2),
        (Cmd.WDOG, 4, 60_001, b"", -15),
        (Cmd.TRIG, 22, 101, words(1), -46),
        (Cmd.NB, 0, 1, b"", -25),
        (Cmd.SPIO, 3, 500_000, words(0x1C0), -76),
        (Cmd.SPIO, 0, 31_999, words(0x1C0), -78),
        (Cmd.SPIO, 0, 500_000, words(1 << 22), -77),
        (Cmd.SPIX, 0, 0, b"\6\0\0", -25),
        (Cmd.PROCR, 0, 0, b"", -48),
        (Cmd.PROC, 0, 0, b"spix 0 1", -55),
        (Cmd.PROC, 0, 0, b"jmp 1", -63),
        (Cmd.PROC, 0, 0, b"tag 1 tag 1", -53),
        (Cmd.PROC, 0, 0, b"lda v150", -47),
    ],
)
def test_a_fresh_daemon_answers_by_the_numbers(
    pi: Pi, command: int, p1: int, p2: int, ext: bytes, result: int
) -> None:
    assert pi.do(command, p1, p2, ext) == result


def test_answer_repeats_the_request_and_carries_its_data() -> None:
    assert encode((26, 0, 0), 79).hex() == "1a0000000000000000000000" + "4f000000"
    assert encode((4, 28, 1), -41).hex() == "040000001c00000001000000" + "d7ffffff"
    assert encode((75, 0, 0), b"\0\x08\x4c").hex() == (
        "4b0000000000000000000000" + "03000000" + "00084c"
    )


def test_hardware_pwm_reads_back_as_it_was_set(pi: Pi) -> None:
    assert pi.do(Cmd.HP, 12, 1000, words(50_000)) == 0
    told = [pi.do(command, 12) for command in (Cmd.GDC, Cmd.PRG, Cmd.PFG, Cmd.PRRG)]
    assert told == [50_000, 1_000_000, 1000, 250_000]
    assert pi.do(Cmd.MODEG, 12) == 4
    assert pi.do(Cmd.WRITE, 12, 0) == 0
    assert pi.do(Cmd.GDC, 12) == -92


def test_a_channel_of_the_pwm_has_one_setting_for_its_two_pins(pi: Pi) -> None:
    pi.do(Cmd.HP, 12, 1000, words(50_000))
    pi.do(Cmd.HP, 18, 500, words(900_000))
    assert pi.do(Cmd.PFG, 12) == 500


@pytest.mark.parametrize(
    ("flags", "levels"), [(0x1C0, (0, 0)), (0x100, (1, 1)), (0x140, (1, 0))]
)
def test_auxiliary_spi_takes_the_chip_selects_that_are_not_reserved(
    pi: Pi, flags: int, levels: tuple[int, int]
) -> None:
    pi.do(Cmd.SPIO, 0, 500_000, words(flags))
    modes = tuple(int(pi.do(Cmd.MODEG, pin) == 1) for pin in (16, 17))
    assert modes == levels


def test_spi_handles_are_thirty_two(pi: Pi) -> None:
    opened = [pi.do(Cmd.SPIO, 0, 500_000, words(0x1C0)) for _ in range(33)]
    assert opened == [*range(32), -24]
    assert pi.do(Cmd.SPIC, 7) == 0
    assert pi.do(Cmd.SPIO, 0, 500_000, words(0x1C0)) == 7


@pytest.mark.parametrize("channel", range(8))
def test_converter_answers_for_the_channel_in_the_frame(channel: int) -> None:
    sent = bytes((6 | channel >> 2, (channel & 3) << 6, 0))
    assert convert(sent, lambda asked: 0xA00 + asked) == bytes((0, 0x0A, channel))


def test_converter_counts_clocks_from_the_start_bit_wherever_it_is() -> None:
    sent = (0b1_1_010 << 27).to_bytes(4, "big")  # channel 2, at once
    received = int.from_bytes(convert(sent, lambda asked: 0x800 | asked), "big")
    assert received >> (32 - 19) == 0x802


def test_dead_man_lets_live_who_feeds_it_and_forces_all_low_afterwards(pi: Pi) -> None:
    for pin in (PINS.k1_req, PINS.k2_req):
        pi.do(Cmd.WRITE, pin, 1)
    pi.do(Cmd.HP, PINS.cp_pwm, 1000, words(50_000))
    pins = (PINS.cp_pwm, PINS.k1_req, PINS.k2_req)
    number = pi.script(DEAD_MAN, 1, 25, *pins)
    for beat in range(2, 12):
        pi.wait(0.2)
        assert pi.do(Cmd.PROCU, number, 0, words(beat)) == 0
    assert pi.do(Cmd.READ, PINS.k1_req) == 1
    pi.wait(0.48)
    assert pi.do(Cmd.READ, PINS.k1_req) == 1
    pi.wait(0.06)
    told = [pi.do(Cmd.READ, pin) for pin in pins]
    assert (told, pi.do(Cmd.GDC, PINS.cp_pwm)) == ([0, 0, 0], 0)
    pi.do(Cmd.WRITE, PINS.k1_req, 1)
    pi.wait(0.04)
    assert pi.do(Cmd.READ, PINS.k1_req) == 0


def test_script_tells_status_and_parameters(pi: Pi) -> None:
    number = pi.script("tag 1 mils 10 jmp 1", 7, 8)
    told = pi.do(Cmd.PROCP, number)
    assert isinstance(told, bytes)
    assert struct.unpack("<11i", told)[:3] == (ScriptStatus.WAITING, 7, 8)
    assert pi.do(Cmd.PROCS, number) == 0
    told = pi.do(Cmd.PROCP, number)
    assert isinstance(told, bytes)
    assert struct.unpack("<11i", told)[0] == ScriptStatus.HALTED
    assert [pi.do(Cmd.PROCD, number) for _ in range(2)] == [0, -48]


def test_script_without_a_wait_does_not_hold_up_the_daemon(pi: Pi) -> None:
    pi.script("tag 1 jmp 1")
    assert pi.do(Cmd.PIGPV) == 79


def records(pi: Pi, handle: int) -> list[tuple[int, ...]]:
    raw = pi.daemon.notices.take(handle)
    return [RECORD.unpack_from(raw, place) for place in range(0, len(raw), 12)]


def listening(pi: Pi, bits: int) -> int:
    handle = pi.do(Cmd.NOIB)
    assert isinstance(handle, int)
    pi.do(Cmd.NB, handle, bits)
    return handle


def test_change_of_a_pin_is_told_to_who_asked_for_it(pi: Pi) -> None:
    handle, other = listening(pi, 1 << 17), listening(pi, 1 << 6)
    records(pi, other)
    pi.do(Cmd.WRITE, 17, 1)
    pi.now = 0.5
    pi.do(Cmd.WRITE, 17, 0)
    told = records(pi, handle)
    assert [(n, flags, tick) for n, flags, tick, _ in told] == [
        (0, 0, 0),
        (1, 0, 500_000),
    ]
    assert [levels >> 17 & 1 for *_, levels in told] == [1, 0]
    assert records(pi, other) == []


def test_glitch_filter_swallows_what_is_too_short(pi: Pi) -> None:
    handle = listening(pi, 1 << 17)
    pi.do(Cmd.FG, 17, 30_000)
    pi.do(Cmd.WRITE, 17, 1)
    pi.wait(0.01)
    pi.do(Cmd.WRITE, 17, 0)
    pi.wait(0.1)
    assert records(pi, handle) == []
    pi.do(Cmd.WRITE, 17, 1)
    pi.wait(0.02)
    assert records(pi, handle) == []
    pi.wait(0.02)
    assert len(records(pi, handle)) == 1


def test_silent_pin_is_reported_by_its_watchdog(pi: Pi) -> None:
    handle = listening(pi, 1 << 17)
    pi.do(Cmd.WDOG, 17, 100)
    pi.wait(0.25)
    assert [flags for _, flags, *_ in records(pi, handle)] == [32 + 17] * 2


def test_quiet_stream_is_kept_alive(pi: Pi) -> None:
    handle = listening(pi, 0)
    pi.now = 61.0
    pi.daemon.advance(pi.now)
    assert [flags for _, flags, *_ in records(pi, handle)] == [64]


def test_new_daemon_finds_pins_and_pwm_as_they_were(pi: Pi) -> None:
    pi.do(Cmd.WRITE, PINS.k1_req, 1)
    pi.do(Cmd.HP, 12, 1000, words(50_000))
    handle = pi.do(Cmd.SPIO, 0, 500_000, words(0x1C0))
    assert isinstance(handle, int)
    pi.daemon.restart()
    assert pi.do(Cmd.READ, PINS.k1_req) == 1
    assert pi.do(Cmd.GDC, 12) == 50_000
    assert pi.do(Cmd.SPIX, handle, 0, b"\6\0\0") == -25
