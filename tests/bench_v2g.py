"""Measure sessions on the wire: answers, handshakes, memory, and the foreign station.

All on one machine and one interface's address, so that no line is measured: the modems
are matched over the simulated one, TCP goes past it. Needs root.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench_car import OTHERS, SAME
from tests.bench_echo import turns_a_second
from tests.net.foreign_pki import laid_out
from tests.net.lab import PYTHON, Lab, Process, sh, until
from tests.net.test_foreign import FOREIGN, needs

WARM_UP_S = 8.0  # the codec's functions are made while nothing happens
LOOPS, FOREIGN_LOOPS = 10_000, 60
WARM_UPS = 3  # sessions, before memory is looked at
LOOPS_A_SESSION = 50
STAPLED_SHARE = 4  # of so many sessions, one is measured again with an OCSP response
BURST_S = 5.0
GOALS = dict.fromkeys((SAME, OTHERS), ">= 5000/s")
MANY = 50  # messages between two reports of the supply: somebody asks at once
LIMIT_S = 3600.0
FIGURES = (  # name of a request, what it is called here, the goal for p99
    ("CurrentDemandReq", "CurrentDemandRes", "p99 <= 5 ms"),
    ("PaymentDetailsReq", "PaymentDetailsRes, chain checked", "p99 <= 30 ms"),
    ("AuthorizationReq", "AuthorizationRes, signature checked", "p99 <= 30 ms"),
)

Say = Callable[[str, str, str], None]
Times = Mapping[str, Sequence[float]]  # s, by the name of the request


def measure(say: Say, sessions: int) -> None:
    """Print the figures; so many sessions by contract over TLS."""
    with _folder() as folder:
        plain = _plain(say, folder / "plain")
        secure = _secure(say, folder / "secure", sessions)
        if missing := needs():
            say("the station of the package iso15118", f"not measured: {missing}", "")
            return
        for name, ours in (("plain", plain), ("TLS", secure)):
            pki = folder / "secure" / "pki" if name == "TLS" else None
            theirs = _foreign(folder / f"foreign-{name}", pki)
            _ratios(say, name, ours, theirs)


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        yield Path(folder)


@contextmanager
def _lab(folder: Path) -> Iterator[Lab]:
    """Yield a station's machine with the car's interface in it."""
    folder.mkdir(exist_ok=True)
    lab = Lab(folder, f"phw{os.getpid() % 10_000}")
    try:
        lab.build()
        sh("ip", "-n", f"{lab.name}b", "link", "set", lab.ev, "netns", f"{lab.name}a")
        sh("ip", "-n", f"{lab.name}a", "link", "set", lab.ev, "up")
        yield lab
    finally:
        lab.tear_down()


def _car(lab: Lab, *options: str) -> dict[str, object]:
    """Let the car of ``tests.bench_car`` come, and return what it says."""
    where = ("--interface", lab.ev, "--tcp", lab.evse)
    program = (PYTHON, "-m", "tests.bench_car", *where, *options)
    car = lab.start("a", f"car{len(lab.processes)}", *program)
    assert car.popen.wait(LIMIT_S) == 0, car.text
    told: dict[str, object] = json.loads(car.text.splitlines()[-1])
    return told


def _plain(say: Say, folder: Path) -> Times:
    with _lab(folder) as lab:
        lab.segment()
        station = lab.station()
        time.sleep(WARM_UP_S)
        cable = ("--bench", lab.bench)
        _car(lab, *cable, "--loops", str(LOOPS_A_SESSION))
        before = _memory(station)
        told = _car(lab, *cable, "--loops", str(LOOPS))
        say(
            f"memory over {LOOPS} messages, main + guard",
            f"{before} -> {_memory(station)} MB",
            "flat",
        )
        _burst(say, lab, station)
        times = _times(told)
        _percentiles(say, "plain", times, FIGURES[:1])
        return times


def _burst(say: Say, lab: Lab, station: Process) -> None:
    """Print how many messages a second are answered, and what else is in time."""
    pid = str(station.popen.pid)
    burst = ("--burst", str(BURST_S), "--pid", pid)
    told = _car(lab, "--bench", lab.bench, *burst)
    assert told["opened_s"], f"{told['outcomes']}: {station.text}"
    rates, cpu_s = told["rates"], told["cpu_s"]
    assert isinstance(rates, dict)
    assert isinstance(cpu_s, dict)
    for how, windows in rates.items():
        share = f"{cpu_s[how] * 1e6:.0f} us CPU each"
        figure = f"{statistics.median(windows):.0f}/s, {share}"
        say(f"current demand, {how}", figure, GOALS.get(how, ""))
    echo = f"{turns_a_second():.0f}/s"
    say("a bare asyncio echo, one after the other", echo, "what waking costs here")
    opened = told["opened_s"]
    assert isinstance(opened, list)
    say("guard opens meanwhile", f"{opened[0] * 1e3:.0f} ms", "<= 100 ms (budget 72)")
    gaps_s = sorted(_gaps(lab))
    median_ms, worst_ms = statistics.median(gaps_s) * 1e3, gaps_s[-1] * 1e3
    figure = f"median {median_ms:.0f}, worst {worst_ms:.0f} ms"
    say(f"report of the supply taken meanwhile ({len(gaps_s)})", figure, "<= 250 ms")
    assert "link" not in station.text, station.text  # it was polled in time


def _gaps(lab: Lab) -> Iterator[float]:
    """Yield the times between two reports of the supply, which the renewal takes.

    Only where many messages lie between: the bench reports ten times a second then.
    """
    last_s, messages = 0.0, 0
    for entry in lab.journal():
        event, at_s = entry["event"], entry["at"]
        assert isinstance(at_s, float)
        kind = event["type"] if isinstance(event, dict) else ""
        messages += kind == "TcpData"
        if kind == "PlantReport":
            if messages > MANY:
                yield at_s - last_s
            last_s, messages = at_s, 0


def _secure(say: Say, folder: Path, sessions: int) -> Times:
    with _lab(folder) as lab:
        pki = folder / "pki"
        sh(PYTHON, "-m", "pilothat.service.cli", "pki", "make", str(pki))
        with (folder / "station.toml").open("a") as file:
            file.write(f'[v2g]\ntls = "required"\npki = "{pki}"\n')
        lab.segment()
        station = lab.station()
        time.sleep(WARM_UP_S)
        wants = ("--bench", lab.bench, "--pki", str(pki))
        loops = ("--loops", str(LOOPS_A_SESSION))
        _car(lab, *wants, *loops, "--sessions", str(WARM_UPS))
        before = _memory(station)
        told = _car(lab, *wants, *loops, "--sessions", str(sessions))
        outcomes = told["outcomes"]
        assert isinstance(outcomes, list)
        for outcome, count in Counter(outcomes).items():
            say(f"sessions by contract over TLS: {outcome}", str(count), "all stopped")
        say(
            f"memory over {sessions} sessions, main + guard",
            f"{before} -> {_memory(station)} MB",
            "flat",
        )
        times = _handshakes(say, "TLS", told)
        sh(PYTHON, "-m", "pilothat.service.cli", "pki", "ocsp", str(pki))
        stapled = ("--ocsp", "--sessions", str(max(1, sessions // STAPLED_SHARE)))
        _handshakes(say, "TLS with OCSP", _car(lab, *wants, *loops, *stapled))
        return times


def _handshakes(say: Say, name: str, told: Mapping[str, object]) -> Times:
    """Print how long handshakes and answers take, whichever library speaks TLS."""
    handshakes = told["handshakes_s"]
    assert isinstance(handshakes, list)
    figure = _figure(handshakes)
    say(f"{name} handshake ({len(handshakes)})", figure, "p99 <= 60 ms")
    times = _times(told)
    _percentiles(say, name, times, FIGURES)
    return times


def _foreign(folder: Path, pki: Path | None) -> Times:
    """Let the same car charge at the station of the package iso15118."""
    with _lab(folder) as lab:
        sh("ip", "-n", f"{lab.name}c", "link", "add", "line", "type", "bridge")
        for name in ("line", "sega0", "segb0"):
            sh("ip", "-n", f"{lab.name}c", "link", "set", name, "up")
        for name in ("sega0", "segb0"):
            sh("ip", "-n", f"{lab.name}c", "link", "set", name, "master", "line")
        settings = {
            "NETWORK_INTERFACE": lab.evse,
            "PROTOCOLS": "ISO_15118_2",
            "LOG_LEVEL": "INFO",
            "MESSAGE_LOG_JSON": "false",
        }
        options = ["--loops", str(FOREIGN_LOOPS)]
        if pki is not None:
            settings["PKI_PATH"] = str(laid_out(pki, folder / "theirs"))
            options += ["--pki", str(pki)]
        given = [f"{name}={value}" for name, value in settings.items()]
        program = ("env", *given, str(FOREIGN), "-m", "iso15118.secc.main")
        station = lab.start("a", "secc", *program)
        until(lambda: "server started" in station.text, 30, "the foreign station")
        return _times(_car(lab, *options))


def _ratios(say: Say, name: str, ours: Times, theirs: Times) -> None:
    """Print, for each request, how much longer the other station takes."""
    for request in theirs:
        if request in ours:
            our_s, their_s = map(statistics.median, (ours[request], theirs[request]))
            figure = f"{their_s * 1e3:.1f} / {our_s * 1e3:.2f} ms"
            ratio = f"x {their_s / our_s:.0f}"
            say(f"iso15118 / ours, {name}: {request}", figure, ratio)


def _times(told: Mapping[str, object]) -> Times:
    found = told["answers_s"]
    assert isinstance(found, dict)
    return found


def _percentiles(
    say: Say, name: str, times: Times, figures: Sequence[tuple[str, str, str]]
) -> None:
    for request, title, goal in figures:
        count = len(times[request])
        say(f"{title}, {name} ({count})", _figure(times[request]), goal)


def _figure(times_s: Sequence[float]) -> str:
    in_order = sorted(times_s)
    p99_s = in_order[int(len(in_order) * 0.99)]
    return f"median {statistics.median(in_order) * 1e3:.2f}, p99 {p99_s * 1e3:.2f} ms"


def _memory(station: Process) -> str:
    children = sh("ps", "-o", "pid=", "--ppid", str(station.popen.pid)).split()
    pids = [str(station.popen.pid), *children]
    return " + ".join(f"{_rss_mb(pid):.1f}" for pid in pids)


def _rss_mb(pid: str) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
