"""What the documents name exists; what is generated is current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pilothat.service.cli import COMMANDS

ROOT = Path(__file__).parents[2]
TEXTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PLACES = (ROOT, ROOT / "src" / "pilothat")
NAMED = re.compile(
    r"`([\w./]+\.(?:py|md|svg|toml|cfg))`|\]\(([\w./]+)\)|`(tests/[\w/]+)`"
)


def named(text: Path) -> list[str]:
    found = NAMED.findall(text.read_text())
    return sorted({one for group in found for one in group if one})


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_every_file_that_a_document_names_exists(text: Path) -> None:
    places = (*PLACES, text.parent)
    missing = [
        name for name in named(text) if not any((p / name).exists() for p in places)
    ]
    assert missing == []


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in readme] == []


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "diagrams"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
