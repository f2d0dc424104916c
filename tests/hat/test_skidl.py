"""SKiDL on the circuit: it finds what our rules find, and joins the same pins."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ROOT / "hat" / "rev-a" / "pilothat.net"
pytestmark = pytest.mark.skipif(
    find_spec("skidl") is None, reason="no skidl; pip install -e '.[hat]'"
)
PROGRAM = """
from pathlib import Path
import sys
from pilothat.board.circuit import read
from pilothat.board.revision import revision
from pilothat.board.skidlcircuit import opinion
text = Path(sys.argv[1]).read_text().replace(sys.argv[2], sys.argv[3])
print("flaws", opinion(read(text, revision("rev_a"))).flaws)
"""


def nets(text: str) -> Mapping[str, frozenset[tuple[str, str]]]:
    """Return the pins of each net: part and number."""
    found = {}
    for one in re.split(r"\(net\s", text.partition("(nets")[2])[1:]:
        name = re.search(r'\(name "([^"]+)"\)', one)
        assert name is not None
        nodes = re.findall(r'\(node\s+\(ref "(\w+)"\)\s+\(pin "(\w+)"\)', one)
        found[name[1]] = frozenset(nodes)
    return found


def test_rules_of_skidl_find_no_flaw_and_its_netlist_joins_the_same_pins(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "hat", "--skidl", tmp_path / "skidl.net"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    theirs, ours = nets((tmp_path / "skidl.net").read_text()), nets(OURS.read_text())
    assert theirs == ours
    assert sum(map(len, ours.values())) > 300


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"CP_ON" = ["U13.Y", "U5.EN"]', '"CP_ON" = ["U13.Y"]'),
        ('"SAFE" = ["U14.Y", ', '"SAFE" = ["U14.Y", "U13.Y", '),
        ('"+12V" = ["U3.OUTP", ', '"+12V" = ['),
    ],
    ids=["unconnected pin", "two outputs", "no supply"],
)
def test_rules_of_skidl_find_what_ours_find(old: str, new: str, tmp_path: Path) -> None:
    circuit = ROOT / "hat" / "rev-a" / "circuit.toml"
    assert old in circuit.read_text()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, circuit, old, new],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    flaws = re.search(r"flaws (\d+)", done.stdout)
    assert flaws is not None, done.stderr
    assert int(flaws[1]) > 0
