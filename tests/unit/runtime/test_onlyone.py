"""One station has a modem or a board, and another is told who."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hat.twin import until

from pilothat.errors import PilotHatError
from pilothat.runtime.onlyone import alone_with, board_of

HOLDER = """\
import sys, time
from pilothat.runtime.onlyone import alone_with
with alone_with(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_is_told_who_has_it_and_what_to_do(tmp_path: Path) -> None:
    what = f"interface {tmp_path}"
    with alone_with(what):
        with alone_with(f"{what} too"):
            pass
        with pytest.raises(PilotHatError) as told, alone_with(what):
            pass
    assert f"process {os.getpid()}" in str(told.value)
    assert "systemctl stop pilothatd" in told.value.remedy


def test_killed_holder_has_nothing_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had another folder for temporary files, as a service has."""
    what = f"interface {tmp_path}"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", HOLDER, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PilotHatError, match=f"process {holder.pid}"):
            alone_with(what).__enter__()
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)

    def is_free() -> bool:
        with alone_with(what):
            return True

    until(is_free, "free")


def test_name_may_be_longer_than_that_of_a_socket() -> None:
    with alone_with(f"board wallbox /dev/{'x' * 200}"):
        pass


@pytest.mark.parametrize(
    ("driver", "options", "name"),
    [
        ("twin", {"socket": "/tmp/x"}, ""),
        ("kernel", {"kernel_twin": ""}, "board kernel"),
        ("wallbox", {"wallbox_port": "auto"}, "board wallbox auto"),
        ("pigpio", {"pigpio_host": "a", "pigpio_port": "1"}, "board pigpio a 1"),
    ],
)
def test_boards_are_told_from_each_other(
    driver: str, options: dict[str, str], name: str
) -> None:
    assert board_of(driver, options) == name
