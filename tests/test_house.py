"""The house rules that no tool of ours checks: sizes, forbidden words, shared state.

Every rule is a function from a module to complaints, so that a test can show it a
module that breaks it.
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import subprocess
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
SHARED = ROOT.parent / "shared"

MODULE_LINES = 400
TABLE_LINES = 800  # declarations: one statement a field, nothing to follow
TABLES = (
    "pilothat/v2g/messages/",
    "pilothat/homeplug/cm.py",
    "pilothat/service/keys.py",
)
FUNCTION_LINES = 40
COMPLEXITY = 8
PARAMETERS = 5
MAY_PRINT = "pilothat/service/"
OPEN_POINT = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = ("list", "dict", "set", "deque", "Counter", "defaultdict", "bytearray")
READ_ONLY = ("Mapping", "Sequence", "Final")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the product: its path below src, its text and its tree."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    @property
    def functions(self) -> Iterator[Function]:
        nodes = ast.walk(self.tree)
        return (node for node in nodes if isinstance(node, Function))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


Rule = Callable[[Module], Iterator[str]]


def is_short(module: Module) -> Iterator[str]:
    count = module.text.count("\n")
    limit = TABLE_LINES if module.path.startswith(TABLES) else MODULE_LINES
    if count > limit:
        yield f"{count} lines, at most {limit}"


def has_short_functions(module: Module) -> Iterator[str]:
    for function in module.functions:
        count = (function.end_lineno or 0) - function.lineno + 1
        if count > FUNCTION_LINES:
            yield f"{function.name}: {count} lines, at most {FUNCTION_LINES}"


def is_simple(module: Module) -> Iterator[str]:
    for function in module.functions:
        count = 1 + sum(_branches(statement) for statement in function.body)
        if count > COMPLEXITY:
            yield f"{function.name}: complexity {count}, at most {COMPLEXITY}"


def _branches(node: ast.AST) -> int:
    """Count like mccabe: what branches; nested functions with what they branch."""
    own = int(
        isinstance(
            node,
            ast.If | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler | Function,
        )
    )
    if isinstance(node, ast.Match):
        own = len(node.cases) - int(_is_catch_all(node.cases[-1]))
    return own + sum(_branches(child) for child in ast.iter_child_nodes(node))


def _is_catch_all(case: ast.match_case) -> bool:
    pattern = case.pattern
    is_wildcard = isinstance(pattern, ast.MatchAs) and pattern.pattern is None
    return is_wildcard and case.guard is None


def has_few_parameters(module: Module) -> Iterator[str]:
    for function in module.functions:
        every = function.args.posonlyargs + function.args.args
        every += function.args.kwonlyargs
        count = sum(parameter.arg not in ("self", "cls") for parameter in every)
        if count > PARAMETERS:
            yield f"{function.name}: {count} parameters, at most {PARAMETERS}"


def is_free_of_bans(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        match node:
            case ast.ExceptHandler(type=None):
                yield f"{node.lineno}: bare except"
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield f"{node.lineno}: star import"
            case ast.Global() | ast.Nonlocal():
                yield f"{node.lineno}: global or nonlocal"
            case ast.Call(func=ast.Name(id="print")):
                if not module.path.startswith(MAY_PRINT):
                    yield f"{node.lineno}: print"
            case ast.Name(id="sleep") | ast.Attribute(attr="sleep"):
                yield f"{node.lineno}: sleep"


def has_no_open_points(module: Module) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        is_prose = token.type in (tokenize.COMMENT, tokenize.STRING)
        if is_prose and (found := OPEN_POINT.search(token.string)):
            yield f"{token.start[0]}: {found[0]}"


def has_no_shared_state(module: Module) -> Iterator[str]:
    for node in module.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name), *_], value=value):
                is_constant = name.isupper() or name == "__all__"
                if _is_mutable(value) and not is_constant:
                    yield f"{node.lineno}: {name} can be changed"
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                is_open = not ast.unparse(node.annotation).startswith(READ_ONLY)
                if _is_mutable(value) and is_open:
                    yield f"{node.lineno}: {name} can be changed"


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in MUTABLE_CALLS
    return isinstance(value, MUTABLE)


def opens_with_its_purpose(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "no docstring"


RULES: tuple[Rule, ...] = (
    is_short,
    has_short_functions,
    is_simple,
    has_few_parameters,
    is_free_of_bans,
    has_no_open_points,
    has_no_shared_state,
    opens_with_its_purpose,
)


def _modules() -> list[Module]:
    return [
        Module(path.relative_to(SRC).as_posix(), path.read_text())
        for path in sorted(SRC.rglob("*.py"))
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    found = [f"{one.path}: {told}" for one in _modules() for told in rule(one)]
    assert found == []


def _with_branches(count: int) -> str:
    tests = "".join(f"    if a == {n}:\n        return {n}\n" for n in range(count))
    return f"def f(a):\n{tests}    return 9\n"


def _with_cases(count: int, last: str) -> str:
    cases = "".join(f"        case {n}:\n            pass\n" for n in range(count))
    return f"def f(a):\n    match a:\n{cases}        case {last}:\n            pass\n"


OFFENDERS: tuple[tuple[Rule, str], ...] = (
    (is_short, "x = 1\n" * 401),
    (has_short_functions, "def f():\n" + "    g()\n" * 40),
    (is_simple, _with_branches(8)),
    (is_simple, _with_cases(7, "8")),
    (has_few_parameters, "def f(a, b, c, d, e, f): ...\n"),
    (has_few_parameters, "def f(self, a, b, c, *, d, e, f): ...\n"),
    (is_free_of_bans, "try:\n    f()\nexcept:\n    g()\n"),
    (is_free_of_bans, "from os import *\n"),
    (is_free_of_bans, "def f():\n    global a\n    a = 1\n"),
    (is_free_of_bans, "print(1)\n"),
    (is_free_of_bans, "import time\ntime.sleep(1)\n"),
    (is_free_of_bans, "from time import sleep\nsleep(1)\n"),
    (has_no_open_points, "x = 1  # TODO: more\n"),
    (has_no_open_points, '"""FIXME"""\n'),
    (has_no_shared_state, "seen = []\n"),
    (has_no_shared_state, "SEEN: list[int] = []\n"),
    (has_no_shared_state, "cache = dict()\n"),
    (opens_with_its_purpose, "x = 1\n"),
)
INNOCENTS: tuple[tuple[Rule, str], ...] = (
    (is_short, "x = 1\n" * 400),
    (has_short_functions, "def f():\n" + "    g()\n" * 39),
    (is_simple, _with_branches(7)),
    (is_simple, _with_cases(7, "_")),
    (has_few_parameters, "def f(self, a, b, c, *, d, e): ...\n"),
    (is_free_of_bans, "try:\n    f()\nexcept OSError:\n    g()\n"),
    (has_no_open_points, 'METHODS = 1\nx = "todo"\n'),
    (has_no_shared_state, "ROWS: Mapping[str, int] = {}\nNAMES = {1: 2}\n"),
)


@pytest.mark.parametrize(("rule", "text"), OFFENDERS)
def test_rule_sees_what_breaks_it(rule: Rule, text: str) -> None:
    assert list(rule(Module("pilothat/x.py", text))) != []


@pytest.mark.parametrize(("rule", "text"), INNOCENTS)
def test_rule_lets_pass_what_keeps_it(rule: Rule, text: str) -> None:
    assert list(rule(Module("pilothat/x.py", text))) == []


def test_tables_may_be_longer_and_the_service_may_print() -> None:
    table = Module("pilothat/v2g/messages/x.py", "x = 1\n" * 800)
    service = Module("pilothat/service/x.py", "print(1)\n")
    assert [*is_short(table), *is_free_of_bans(service)] == []


def _committed() -> list[Path]:
    git = ("git", "-C", str(ROOT), "ls-files", "-z")
    listed = subprocess.run(git, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git repository here")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def _hashes(paths: list[Path]) -> dict[str, Path]:
    return {
        hashlib.sha256(path.read_bytes()).hexdigest(): path
        for path in paths
        if path.is_file() and path.stat().st_size > 0
    }


def test_nothing_of_the_reference_material_is_committed() -> None:
    if not SHARED.is_dir():
        pytest.skip("no reference material beside this repository")
    ours = _hashes(_committed())
    theirs = _hashes([path for path in SHARED.rglob("*") if ".git" not in path.parts])
    assert [ours[key] for key in sorted(ours.keys() & theirs.keys())] == []
