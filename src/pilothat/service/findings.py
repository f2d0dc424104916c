"""Findings of a doctor: one line each, with what was measured and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import Enum

from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass

WIDTH = 16


class Verdict(Enum):
    """How a finding ends."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was measured, what to do."""

    verdict: Verdict
    what: str
    measured: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """Return it as it is printed."""
        remedy = f". {self.remedy}" if self.remedy else ""
        return f"{self.verdict.value}  {self.what:<{WIDTH}} {self.measured}{remedy}"


def good(what: str, measured: str) -> Finding:
    """Return a finding that passes."""
    return Finding(Verdict.PASS, what, measured)


def doubtful(what: str, measured: str, remedy: str) -> Finding:
    """Return one that a station can live with."""
    return Finding(Verdict.WARN, what, measured, remedy)


def bad(what: str, measured: str, remedy: str) -> Finding:
    """Return one that has failed."""
    return Finding(Verdict.FAIL, what, measured, remedy)


def failed(what: str, error: PilotHatError) -> Finding:
    """Return what an error means."""
    return Finding(Verdict.FAIL, what, error.what, error.remedy)


def told(findings: Iterable[Finding]) -> int:
    """Print findings as they come; return the exit code, 1 when one has failed."""
    is_fit = True
    for finding in findings:
        is_fit = is_fit and finding.verdict is not Verdict.FAIL
        sys.stdout.write(finding.line + "\n")
        sys.stdout.flush()
    return 0 if is_fit else 1
