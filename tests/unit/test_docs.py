"""What the documents name exists, what they count is right, what is drawn is current.

A document names code as ``module.name`` below ``src/pilothat`` and a value as
``module.NAME`` = number; files, tests, commands and make targets by their names.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from pilothat.service.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "pilothat"
TEXTS = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(
        ROOT / folder / "README.md"
        for folder in ("hat", "hat/wallbox", "packaging", "scripts")
    ),
)
each_text = pytest.mark.parametrize(
    "text", TEXTS, ids=lambda t: str(t.relative_to(ROOT))
)

BLOCK = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
FILE = re.compile(
    r"`([\w./-]+\.(?:py|md|svg|toml|cfg|csv))`|\]\(([\w./-]+)\)|`(tests/[\w./-]+)`"
)
NAME = re.compile(r"`([a-z]\w*(?:\.\w+)+)`")
VALUE = re.compile(r"`((?:[a-z_0-9]+\.)+[A-Z_0-9]+)` = ([\d.]+)")
TEST = re.compile(r"`(test_\w+)`")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
CALL = re.compile(r"(?:^|[`/ ])pilothat ([a-z][a-z-]+)([^`\n#|>&]*)", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z0-9-]*)")


def code_of(text: Path) -> str:
    """Return what stands in blocks and in backquotes: what is meant to be typed."""
    read = text.read_text()
    blocks = BLOCK.findall(read)
    return "\n".join((*blocks, *re.findall(r"`[^`\n]+`", BLOCK.sub("", read))))


def found(name: str) -> object | None:
    """Return what a dotted name below the package means; None if it means nothing."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = SRC.joinpath(*parts[:count])
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            here: object = import_module(".".join(("pilothat", *parts[:count])))
            for part in parts[count:]:
                here = getattr(here, part, None)
            return here
    return None


def is_ours(name: str) -> bool:
    """Tell whether a dotted name begins with a module of the package."""
    first = name.partition(".")[0]
    is_file = Path(name).suffix in (".py", ".md", ".svg", ".toml", ".cfg", ".csv")
    is_setting = name in _settings()
    is_there = (SRC / first).is_dir() or (SRC / f"{first}.py").is_file()
    return is_there and not is_file and not is_setting


@cache
def _settings() -> frozenset[str]:
    keys = import_module("pilothat.service.keys").KEYS
    return frozenset(key.path for key in keys)


@cache
def _tests() -> frozenset[str]:
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(
        name for text in sources for name in re.findall(r"def (\w+)", text)
    )


@cache
def help_of(command: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([command, "--help"])
    return out.getvalue()


@each_text
def test_every_file_that_a_document_names_exists(text: Path) -> None:
    places = (ROOT, SRC, text.parent)
    names = {one for group in FILE.findall(text.read_text()) for one in group if one}
    missing = [n for n in sorted(names) if not any((p / n).exists() for p in places)]
    assert missing == []


@each_text
def test_every_name_in_a_document_exists(text: Path) -> None:
    names = {name for name in NAME.findall(text.read_text()) if is_ours(name)}
    assert [name for name in sorted(names) if found(name) is None] == []


@each_text
def test_every_value_in_a_document_is_that_of_the_code(text: Path) -> None:
    said = VALUE.findall(text.read_text())
    assert [(n, v) for n, v in said if found(n) != float(v)] == []


@each_text
def test_every_test_that_a_document_names_exists(text: Path) -> None:
    names = set(TEST.findall(text.read_text()))
    assert sorted(names - _tests()) == []


@each_text
def test_every_make_target_that_a_document_names_exists(text: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(set(TARGET.findall(code_of(text))) - set(targets)) == []


@each_text
def test_every_command_that_a_document_names_exists_with_its_options(
    text: Path,
) -> None:
    calls = CALL.findall(code_of(text))
    assert [name for name, _ in calls if name not in COMMANDS] == []
    unknown = [
        f"{name} {option}"
        for name, rest in calls
        for option in OPTION.findall(rest)
        if not re.search(rf"{option}\b", help_of(name))
    ]
    assert unknown == []


def test_rules_see_what_is_wrong() -> None:
    assert found("guard.Guard._drive") is not None
    assert found("guard.Guard._no_such_thing") is None
    assert found("station.no_such_module.Thing") is None
    assert NAME.findall("`guard.Guard._drive`") == ["guard.Guard._drive"]
    assert VALUE.findall("`guard.LEASE_S` = 0.25 s") == [("guard.LEASE_S", "0.25")]
    assert CALL.findall("`pilothat demo --car x`") == [("demo", " --car x")]
    assert OPTION.findall(" --no-such -q") == ["--no-such", "-q"]


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in readme] == []


def test_documents_say_nothing_of_this_machine() -> None:
    texts = (*TEXTS, ROOT / "docs" / "demo.svg", ROOT / "scripts" / "diagrams")
    assert [text.name for text in texts if str(ROOT) in text.read_text()] == []


def test_pages_and_drawings_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "diagrams"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
