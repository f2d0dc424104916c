"""What the service manager is told, and that it cannot hurt."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothat.runtime.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(5)
        yield made


def told(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_manager_is_told_and_a_line_only_when_it_is_news(
    manager: socket.socket,
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready()
    notifier.status("idle")
    notifier.status("idle")
    notifier.alive()
    notifier.stopping()
    lines = [told(manager) for _ in range(4)]
    assert lines == ["READY=1", "STATUS=idle", "WATCHDOG=1", "STOPPING=1"]


def test_abstract_address_is_understood() -> None:
    name = f"pilothat-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(5)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert told(manager) == "READY=1"


def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(
    tmp_path: Path,
) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environment)
        notifier.ready()
        notifier.status("idle")
        notifier.alive()


def test_full_manager_is_not_waited_for(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    for number in range(5000):
        notifier.status(str(number))


@pytest.mark.parametrize(
    ("environment", "alive_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "5000000"}, 2.5),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_sign_of_life_is_wanted_at_half_of_what_is_allowed(
    environment: dict[str, str], alive_s: float | None
) -> None:
    assert Notifier(environment).alive_s == alive_s
