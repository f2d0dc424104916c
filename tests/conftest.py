"""The same examples on every run; ``--hypothesis-profile=explore`` looks further.

``--dist loadscope``: what shares a machine goes to one worker, all else to any.
"""

from __future__ import annotations

import signal
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# No time limit: a busy machine is no defect.
settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=1000)
settings.load_profile("steady")
# Started in the background, a shell has us ignore it, and programs that we interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Modules whose tests share a machine that takes long to make, or come one at a time.
TOGETHER = {
    "test_container.py", "test_foreign.py", "test_package.py", "test_recovery.py",
    "test_registers.py",
}  # fmt: skip

REPEATED: Any = "rerun"  # an outcome that pytest does not know


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Show a repeated test as such; here, where the results of all workers come."""
    return ("repeated", "R", "REPEATED") if report.outcome == REPEATED else None


class Scopes(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types here
    """Whole modules go first, the one with most tests before all."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if PurePath(module).name in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scopes | None:
    """Replace the scopes of xdist."""
    return Scopes(config, log) if config.getvalue("dist") == "loadscope" else None
