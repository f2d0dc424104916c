"""Draw the certificates of a file or a folder as a tree, roots at the left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509.oid import NameOID

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.chain import SOON_S, Moment
from pilothat.pnc.staple import when
from pilothat.runtime.pkifiles import (
    CERTIFICATES,
    is_key,
    read_certificates,
    read_trust,
    secc_places,
)
from pilothat.runtime.stapling import read_of

DAY_S = 86_400
NAME_WIDTH = 32
SHORT = 16  # digits of a fingerprint


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A certificate, and the files it stands in."""

    certificate: Certificate
    files: tuple[str, ...]


def drawn(path: Path, now_s: float) -> list[str]:
    """Return the lines. Raises ConfigError where there is no certificate."""
    nodes, unread = _nodes(path)
    if not nodes:
        told = unread[0] if unread else "no certificate"
        remedy = f"Files that end in {' '.join(CERTIFICATES)} are read"
        raise ConfigError(told, where=str(path), remedy=remedy)
    below: dict[bytes, list[Node]] = {}
    tops: list[Node] = []
    for node in nodes.values():
        above = _issuer(node, nodes)
        (below.setdefault(above, []) if above else tops).append(node)
    lines = [line for top in tops for line in _lines(top, below, now_s, ("", ""))]
    if path.is_dir():
        lines += _staples(path, now_s)
    else:
        lines += [_full(node) for node in nodes.values()]
    return lines + unread


def _staples(folder: Path, now_s: float) -> Iterator[str]:
    """Yield a line for each OCSP response about a leaf of the station."""
    for place in secc_places(folder):
        path = place.ocsp_path(folder)
        if not path.exists():
            continue
        name = str(path.relative_to(folder))
        try:
            staple = read_of(folder, place, read_trust(folder))
        except ConfigError as error:
            yield f"{name}: {error.what}"
            continue
        why = staple.why_not(Moment(now_s))
        life = f"good, from {when(staple.begin_s)} until {when(staple.end_s)}"
        yield f"{name}: {why or life}"


def _nodes(path: Path) -> tuple[Mapping[bytes, Node], list[str]]:
    """Return the certificates by fingerprint, and what could not be read."""
    nodes: dict[bytes, Node] = {}
    unread: list[str] = []
    for file in _files(path):
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            found = read_certificates(file)
        except ConfigError as error:
            unread.append(f"{name}: {error.what}")
            continue
        for one in found:
            there = nodes.get(one.fingerprint, Node(one, ()))
            nodes[one.fingerprint] = Node(one, (*there.files, name))
    return nodes, unread


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.rglob("*"))
    return [file for file in found if file.suffix in CERTIFICATES and _is_wanted(file)]


def _is_wanted(file: Path) -> bool:
    return file.is_file() and not is_key(file) and not file.name.startswith("ocsp")


def _issuer(node: Node, nodes: Mapping[bytes, Node]) -> bytes | None:
    one = node.certificate
    if one.is_self_issued:
        return None
    others = (other.certificate for other in nodes.values())
    found = next((other for other in others if one.is_issued_by(other)), None)
    return found.fingerprint if found else None


def _lines(
    node: Node,
    below: Mapping[bytes, list[Node]],
    now_s: float,
    indent: tuple[str, str],
) -> Iterator[str]:
    """Yield a node and what it has issued.

    indent: of its own line, and of those below
    """
    own, rest = indent
    where = f"{_short(node)}  {', '.join(node.files)}"
    yield f"{own + _name(node):{NAME_WIDTH}}  {_life(node, now_s)}  {where}"
    children = below.get(node.certificate.fingerprint, [])
    for number, child in enumerate(children, 1):
        is_last = number == len(children)
        corner = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _lines(child, below, now_s, (rest + corner[0], rest + corner[1]))


def _name(node: Node) -> str:
    one = node.certificate
    domain = one.subject(NameOID.DOMAIN_COMPONENT)
    return f"{one.name} [{domain}]" if domain else one.name


def _life(node: Node, now_s: float) -> str:
    one = node.certificate
    end = datetime.fromtimestamp(one.not_after_s, UTC).date().isoformat()
    left_s = one.not_after_s - now_s
    if left_s < 0:
        return f"EXPIRED {end}"
    if now_s < one.not_before_s:
        begin = datetime.fromtimestamp(one.not_before_s, UTC).date().isoformat()
        return f"NOT YET VALID, from {begin}"
    warning = " SOON" if left_s <= SOON_S else ""
    return f"until {end}, {left_s // DAY_S:.0f} days{warning}"


def _full(node: Node) -> str:
    return f"SHA-256 of {node.certificate.name}: {node.certificate.fingerprint.hex()}"


def _short(node: Node) -> str:
    one = node.certificate
    return f"{len(one.der)} octets  {one.fingerprint.hex()[:SHORT]}"
