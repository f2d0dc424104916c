from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from tests.net.lab import Lab, unique_name
from tests.system.machine import PLAIN, ROOT, Machine, Tree, alone, lacking

Once = Callable[..., str]

SETTINGS = "etc/pilothat/pilothat.toml"
MAY_ASK_THE_CLOCK = "--system-call-filter=adjtimex clock_adjtime"
# The CPU time of the main program when it is ready, and what the journal may take.
AT_READY = """\
[Service]
ExecStartPost=/bin/sh -c 'cat /proc/$MAINPID/stat > /run/pilothat/stat'
"""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Skip by name what a machine lacks; the emulated Pi tells by itself."""
    if config.option.markexpr != "system":
        return
    here = [item for item in items if item.get_closest_marker("system")]
    here = [item for item in here if item.path.name != "test_registers.py"]
    why = here and (lacking() or hindered())
    for item in here if why else ():
        item.add_marker(pytest.mark.skip(reason=f"needs {why}"))


@cache
def hindered() -> str:
    """Return why no container can be made and run here; empty if it can."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            tree = Tree.unpacked("bookworm", Path(folder) / "tree")
        except (OSError, subprocess.CalledProcessError) as error:
            return f"a small Debian, and there is none to be had: {error}"
        done = tree.run("true")
        why = done.stderr.strip()[-200:]
        return f"containers, and cannot run one: {why}" if done.returncode else ""


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return what runs a script of ours once for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, env: Mapping[str, str] | None = None) -> str:
        kept = shared / f"{name}.out"
        with alone(kept):
            if not kept.exists():
                script = str(ROOT / "scripts" / name)
                done = subprocess.run(
                    [script], capture_output=True, text=True, check=False, env=env
                )
                if done.returncode:
                    raise RuntimeError(f"scripts/{name}: {done.stdout}{done.stderr}")
                kept.write_text(done.stdout)
        return kept.read_text()

    return made


@pytest.fixture(scope="session")
def deb(once: Once) -> Path:
    """Build the package."""
    return ROOT / once("deb").splitlines()[-1]


@pytest.fixture(scope="session")
def wheelhouse(once: Once) -> Path:
    """Make what an offline machine installs from."""
    try:
        once("wheelhouse", PLAIN | {"PYTHON": sys.executable})
    except RuntimeError as error:
        pytest.skip(f"needs a package index: {str(error)[-300:]}")
    return ROOT / "dist" / "wheelhouse"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return the car's side and the line; the container is the station's side."""
    made = Lab(tmp_path_factory.mktemp("lab"), unique_name())
    try:
        made.build()
        yield made
    finally:
        made.tear_down()


@pytest.fixture(scope="module")
def machine(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Boot a machine with the package, and without a modem."""
    path = tmp_path_factory.mktemp("machine") / "bookworm"
    made = Tree.unpacked("bookworm", path)
    made.install(deb)
    settings = (made.path / SETTINGS).read_text()
    assert '"eth1"' in settings
    made.write(SETTINGS, settings.replace('"eth1"', '"evse0"'))
    made.write("etc/systemd/system/pilothatd.service.d/at-ready.conf", AT_READY)
    booted = Machine.booted(made, MAY_ASK_THE_CLOCK)
    try:
        yield booted
    finally:
        booted.halt()


@pytest.fixture(scope="module")
def station(machine: Machine, lab: Lab) -> Machine:
    """Return the machine when it has its modem's interface, and is ready."""
    machine.plug(lab.evse, f"{lab.name}a")
    lab.segment()
    machine.wait_for("boot_to_ready_s=")
    return machine


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the figures that tests have taken."""
    for report in terminalreporter.getreports("passed"):
        for name, value in getattr(report, "user_properties", ()):
            terminalreporter.write_line(f"{name}: {value:.3g}")
