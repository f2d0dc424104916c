"""Measure the EXI codec: ``python -m tests.bench_exi`` alone, or within ``make bench``.

CPU time, interleaved in one run: every message of every grammar in turn, again and
again, and between the rounds a fixed loop that tells how fast this machine is. The
ratio to that loop compares across machines.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.values import Chance, value_of

from pilothat.exi.codec import Codec, ExiError
from pilothat.exi.schema import Wrap, describe
from pilothat.v2g.messages import SCHEMAS, codec, din

ROUNDS = 15
CALLS = 40  # of one message in a round
TRIES = 200  # to draw a message of plain text
LOOP = 10_000
HOSTILE_BYTES = 15_000
HOSTILE_ENTRIES = 4_500
WARM = (
    "import time; from pilothat.v2g.messages import codec; "
    "codec('{}').decode(bytes.fromhex('{}')); print(time.process_time())"
)
ALONE = (
    "import sys, time; began = time.process_time(); import pilothat.exi, "
    "pilothat.v2g.messages; print(time.process_time() - began); "
    "assert not {'pigpio', 'gpiozero', 'serial', 'scapy'} & set(sys.modules)"
)

Say = Callable[[str, str, str], None]


class Sample(NamedTuple):
    """One message of the mix."""

    exi: Codec
    message: object
    octets: bytes


def mix() -> Iterator[Sample]:
    """Yield one message of each kind of each grammar, with plain text."""
    for name in SCHEMAS:
        exi = codec(name)
        for root in exi.grammar.roots:
            wrap = [f.mark for f in describe(root.cls) if isinstance(f.mark, Wrap)]
            bodies = wrap[0].group.members.values() if wrap else [None]
            for body in bodies:
                yield _sample(exi, root.cls, body)


def _sample(exi: Codec, cls: type, body: type | None) -> Sample:
    for seed in range(TRIES):
        message = value_of(cls, Chance(seed))
        if body is not None:
            chosen = value_of(body, Chance(seed))
            parts = {f.attribute: getattr(message, f.attribute) for f in describe(cls)}
            message = cls(**{**parts, "body": chosen})
        octets = exi.encode(message)
        if exi.quick and exi.quick.decode(octets) is not None:
            return Sample(exi, message, octets)
    raise AssertionError(f"no plain {cls.__name__} in {TRIES} tries")


def _cpu_s(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _each(call: Callable[[object], object], value: object) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        call(value)
    return (time.process_time() - began) / CALLS


def measure(say: Say) -> None:
    """Print the figures of the codec."""
    samples = list(mix())
    best: dict[tuple[int, str], float] = {}
    loop_s = min(_cpu_s(lambda: sum(range(LOOP))) for _ in range(20))
    for _ in range(ROUNDS):
        loop_s = min(loop_s, _cpu_s(lambda: sum(range(LOOP))))
        for number, (exi, message, octets) in enumerate(samples):
            for what, took_s in (
                ("encode", _each(exi.encode, message)),
                ("decode", _each(exi.decode, octets)),  # type: ignore[arg-type]
            ):
                key = number, what
                best[key] = min(best.get(key, took_s), took_s)
    say("calibration: sum(range(10_000))", f"{loop_s * 1e6:.0f} us", "")
    for what, goal in (("encode", "<= 5 us, 4 x C"), ("decode", "<= 7 us, 7 x C")):
        times_us = sorted(t * 1e6 for (_, w), t in best.items() if w == what)
        median_us = statistics.median(times_us)
        ratio = median_us / (loop_s * 1e6)
        spread = f"({times_us[0]:.1f}..{times_us[-1]:.0f})"
        figure = f"{median_us:.1f} {spread} us, {ratio:.3f} loops"
        say(f"EXI {what}, median of {len(times_us)} messages", figure, goal)
    _extremes(say)


def _extremes(say: Say) -> None:
    exi, (message, octets) = codec("din"), long_list()
    wrote_s = min(_cpu_s(lambda: exi.encode(message)) for _ in range(5))
    read_s = min(_cpu_s(lambda: exi.decode(octets)) for _ in range(5))
    figure = f"{wrote_s * 1e3:.0f} / {read_s * 1e3:.0f} ms"
    say("EXI 3,000 list entries: encode / decode", figure, "<= 20 ms")
    _, longer = long_list(HOSTILE_ENTRIES)
    hostile = longer[:HOSTILE_BYTES] + b"\xff" * 8

    def refuse() -> None:
        try:
            exi.decode(hostile)
        except ExiError:
            return
        raise AssertionError("hostile octets were taken")

    took_s = min(_cpu_s(refuse) for _ in range(5))
    say(
        f"EXI {len(hostile)} hostile octets refused",
        f"{took_s * 1e3:.0f} ms",
        "<= 20 ms",
    )
    for name in ("din", "iso2", "iso20-common", "iso20-dc"):
        sample = next(s for s in mix() if s.exi is codec(name)).octets.hex()
        took = of_process(WARM.format(name, sample))
        say(
            f"first message of {name}, with the interpreter",
            f"{took:.2f} s",
            "<= 0.2 s",
        )
    took = of_process(ALONE) * 1000
    say("import pilothat.exi, pilothat.v2g.messages", f"{took:.0f} ms", "<= 80 ms")


def of_process(program: str) -> float:
    """Return the number that a fresh interpreter prints; the best of some.

    Byte code lies ready, as after an installation.
    """
    command = [sys.executable, "-c", program]
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        done = [
            subprocess.run(command, capture_output=True, text=True, check=True, env=env)
            for _ in range(4)
        ]
    return min(float(one.stdout) for one in done)


def long_list(count: int = 3000) -> tuple[din.V2gMessage, bytes]:
    """Return a legal message with so many schedule entries, and its octets."""
    entry = din.PMaxScheduleEntry(
        time_interval=din.RelativeTimeInterval(start=0), p_max=200
    )
    schedule = din.PMaxSchedule(
        p_max_schedule_id=1, p_max_schedule_entry=(entry,) * count
    )
    limits = value_of(din.DcEvseChargeParameter, Chance(1))
    assert isinstance(limits, din.DcEvseChargeParameter)
    body = din.ChargeParameterDiscoveryRes(
        response_code=din.ResponseCode.OK,
        evse_processing=din.EvseProcessing.Finished,
        sa_schedules=din.SaScheduleList(
            sa_schedule_tuple=(
                din.SaScheduleTuple(sa_schedule_tuple_id=1, p_max_schedule=schedule),
            )
        ),
        evse_charge_parameter=limits,
    )
    message = din.V2gMessage(header=din.MessageHeader(session_id=bytes(8)), body=body)
    return message, codec("din").encode(message)


def _print(name: str, figure: str, goal: str) -> None:
    sys.stdout.write(f"{name:<52} {figure:>38}  {goal}\n")


if __name__ == "__main__":
    measure(_print)
