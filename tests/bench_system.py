"""Measure the appliance: the installed package in a booted container.

The tests of the container take the figures; here they stand beside their goals.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
COMMAND = (
    sys.executable, "-m", "pytest", "-q", "-m", "system",
    "tests/system/test_container.py", "-k", "by_itself or little_time",
)  # fmt: skip
LIMIT_S = 600.0
DEB_MB = "<= 1.5"
GOALS = {  # of what the tests record
    "boot to READY, s": "<= 1.5",
    "CPU at READY, s": "<= 0.25",
    "main program, MB": "<= 45",
}

Say = Callable[[str, str, str], None]


def measure(say: Say) -> None:
    """Print the figures, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            (*COMMAND, f"--junitxml={report}"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        found = dict(_figures(report))
    if not found:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        say("container", f"not measured: {''.join(last)}", "")
        return
    for name, value in found.items():
        say(f"container: {name}", f"{value:.2f}", GOALS.get(name, ""))
    newest = max((ROOT / "dist").glob("*.deb"), key=lambda one: one.stat().st_mtime)
    say("package, MB", f"{newest.stat().st_size / 1e6:.2f}", DEB_MB)


def _figures(report: Path) -> Iterator[tuple[str, float]]:
    if report.exists():
        for one in ElementTree.parse(report).iter("property"):
            yield one.attrib["name"], float(one.attrib["value"])


if __name__ == "__main__":
    measure(print)
