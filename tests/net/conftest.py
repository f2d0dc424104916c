from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from tests.conftest import REPEATED
from tests.net.lab import Lab, unique_name

TRIES = 3
STILL = "the machine stood still"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a failed test tell what its programs said last."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.when == "call" and report.failed and isinstance(lab, Lab):
        report.sections.append(("what the programs said last", lab.told()))
        every = "\n".join(one.text for one in lab.processes).splitlines()
        held_up = [line for line in every if STILL in line]
        report.sections.append(("held up", "\n".join(held_up)))
    return report


def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> bool | None:
    """Repeat a failed test for which the machine stood still, as its guard has told.

    A virtual machine may be held up longer than a lease lasts or a car waits: what
    follows is right and no test of the product. Told with the result; twice at most.
    """
    if item.get_closest_marker("net") is None:
        return None
    ihook = item.ihook
    ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for tries_left in reversed(range(TRIES)):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        is_repeated = any(_is_excused(one) for one in reports) and tries_left > 0
        for report in reports:
            if is_repeated and report.failed:
                report.outcome = REPEATED
            ihook.pytest_runtest_logreport(report=report)
        if not is_repeated:
            break
    ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _is_excused(report: pytest.TestReport) -> bool:
    return report.failed and any(STILL in text for _, text in report.sections)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    assert os.geteuid() == 0, "the network proof needs root: sudo make test-net"
    made = Lab(tmp_path, unique_name())
    try:
        made.build()
        yield made
    finally:
        made.tear_down()
