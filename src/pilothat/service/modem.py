"""Look at powerline modems and set them up, without any other tool.

    pilothat modem list --interface eth1            who is there, in which role
    pilothat modem check --interface eth1           is it fit for a charger; if not, why
    pilothat modem set-role evse --interface eth1   make it the modem of a charger
    pilothat modem watch --interface eth1           attenuation and rates, live

A modem is an EVSE's or a PEV's by two bytes of its parameter block (PIB). set-role
reads the block, checks it, saves a copy, shows what will change, asks, writes, restarts
the modem and reads the block back. Ctrl-C is harmless at any time: before the storing
the modem stays as it was, from there on the command goes on to the end.

Needs the right to raw frames (CAP_NET_RAW), as `run` does. Stop a station that runs on
the same interface before you change its modem. More: docs/modem.md.
Exit codes: 0 ok, 1 failed or not fit, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pilothat.errors import ConfigError, PilotHatError
from pilothat.frozen import dataclass
from pilothat.homeplug.frame import mac_text
from pilothat.plc.module import factory_reset, read_pib, reset, write_pib
from pilothat.plc.pib import SECRET, Pib, PibError, Role
from pilothat.plc.survey import Found, chosen, survey
from pilothat.runtime import netwatch
from pilothat.service import modemcheck, modemwatch
from pilothat.service.modemtalk import converse, say

OK, FAILED = 0, 1
SESSION_BYTES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    deeds = parser.add_subparsers(dest="deed", metavar="WHAT", required=True)
    for name, (_, about) in DEEDS.items():
        one = deeds.add_parser(name, help=about, description=f"{about}.")
        one.add_argument(
            "--interface", required=True, metavar="IF", help="interface of the modem"
        )
        for option in OPTIONS:
            if name in option.deeds:
                one.add_argument(option.name, **option.how)


def run(options: argparse.Namespace) -> int:
    """Do what was asked."""
    deed, _ = DEEDS[options.deed]
    return deed(options)


def _mac(text: str) -> bytes:
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        mac = b""
    if len(mac) != netwatch.MAC_BYTES:
        raise argparse.ArgumentTypeError(f"'{text}': give it as 00:b0:52:00:00:01")
    return mac


def _list(options: argparse.Namespace) -> int:
    found = converse(options.interface, survey())
    if not found:
        raise PilotHatError(
            "no powerline modem answers",
            where=options.interface,
            remedy=f"See why: pilothat modem check --interface {options.interface}",
        )
    if options.json:
        say(json.dumps([_told(one) for one in found]))
        return OK
    for one in found:
        place = "local" if one.is_local else "beyond the line"
        say(f"{mac_text(one.mac)}  {one.chip or 'unknown chip'}  {place}")
        say(f"  firmware  {one.firmware}")
        say(f"  role      {one.role_words}")
        say(f"  key       {one.key_state}")
        if one.is_local:
            hears = [mac_text(other.mac) for other in found if not other.is_local]
            say(f"  hears     {', '.join(hears) or 'nobody'}")
        for peer in one.peers:
            rates = f"{peer.tx_mbps} Mbit/s out, {peer.rx_mbps} in"
            say(f"  linked    {mac_text(peer.mac)}, {rates}")
    return OK


def _told(one: Found) -> dict[str, object]:
    return {
        "mac": mac_text(one.mac),
        "local": one.is_local,
        "chip": one.chip,
        "firmware": one.firmware,
        "role": one.role.name if one.role else None,
        "nid": one.nid.hex() if one.nid else None,
        "linked": [mac_text(peer.mac) for peer in one.peers],
    }


def _read(options: argparse.Namespace) -> tuple[Found, Pib]:
    found = converse(options.interface, chosen(options.mac))
    return found, converse(options.interface, read_pib(found.mac))


def _backup(options: argparse.Namespace) -> int:
    found, pib = _read(options)
    _save(options.file, pib)
    role = pib.role.name if pib.role else "unknown"
    say(f"{mac_text(found.mac)} {found.chip}, role {role}: saved {options.file}")
    return OK


def _restore(options: argparse.Namespace) -> int:
    pib = Pib(_loaded(options.file), where=str(options.file))
    found, present = _read(options)
    pib.require(found.chip)
    if pib.mac != present.mac:
        raise PibError(
            f"it is of modem {mac_text(pib.mac)}, not {mac_text(present.mac)}",
            where=str(options.file),
            remedy="Two modems with one MAC do not work; nothing was written",
        )
    return _write(options, found, present, pib)


def _set_role(options: argparse.Namespace) -> int:
    role = Role[options.role.upper()]
    found, present = _read(options)
    return _write(options, found, present, present.with_role(role, found.chip))


def _write(options: argparse.Namespace, found: Found, present: Pib, new: Pib) -> int:
    """Save, show, ask, write, and check what is there afterwards."""
    where = f"{mac_text(found.mac)} {found.chip}"
    if new.image == present.image:
        say(f"{where}: nothing to change")
        return OK
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    saved = options.backup / f"pib-{present.mac.hex()}-{stamp}.pib"
    _save(saved, present)
    say(f"{where}: present block saved as {saved}")
    for change in present.changes(new):
        shown = (change.before, change.after)
        texts = ["hidden" if change.field in SECRET else _shown(one) for one in shown]
        say(f"  {change.field.name:<13} {texts[0]} -> {texts[1]}")
    if not _agreed(options, "Write it? The modem restarts"):
        say("nothing was written")
        return FAILED
    session = int.from_bytes(secrets.token_bytes(SESSION_BYTES))
    stored = converse(options.interface, write_pib(found.mac, new, session))
    role = stored.role.name if stored.role else "unknown"
    say(f"{where}: written and read back, role {role}")
    return OK


def _shown(octets: bytes) -> str:
    text = octets.rstrip(b"\0")
    if text and text.isascii() and text.decode().isprintable():
        return f"'{text.decode()}'"
    return octets.hex() if len(text) > 1 else str(int.from_bytes(text))


def _reset(options: argparse.Namespace) -> int:
    found = converse(options.interface, chosen(options.mac))
    cnf = converse(options.interface, reset(found.mac))
    say(f"{mac_text(found.mac)}: restarted, {cnf.firmware}")
    return OK


def _factory_reset(options: argparse.Namespace) -> int:
    found = converse(options.interface, chosen(options.mac))
    question = "Restore the factory parameters? The role may change"
    if not _agreed(options, question):
        say("nothing was changed")
        return FAILED
    cnf = converse(options.interface, factory_reset(found.mac))
    after = converse(options.interface, chosen(found.mac))
    say(f"{mac_text(found.mac)}: {cnf.firmware}, role {after.role_words}")
    return OK


def _agreed(options: argparse.Namespace, question: str) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(
            "nobody can be asked", where=options.deed, remedy="Give --yes"
        )
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _save(path: Path, pib: Pib) -> None:
    """Write a new file that only its owner reads: it holds a network key."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(pib.image)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PilotHatError(
            f"cannot write ({error.strerror})",
            where=str(path),
            remedy="Give a new file in a folder that exists; nothing was changed",
        ) from error


def _loaded(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read ({error.strerror})", where=str(path)) from error


@dataclass(frozen=True, slots=True)
class Option:
    """An argument and the deeds that take it."""

    name: str
    deeds: Sequence[str]
    how: Mapping[str, Any]  # as argparse takes it, which has no type for it


ALL_BUT_LOOKING = ("check", "backup", "restore", "set-role", "reset", "factory-reset")
OPTIONS = (
    Option(
        "--mac",
        ALL_BUT_LOOKING,
        {"type": _mac, "metavar": "MAC", "help": "which modem, if not the local one"},
    ),
    Option(
        "role",
        ("set-role",),
        {"choices": ["evse", "pev"], "help": "what it is to be"},
    ),
    Option(
        "--backup",
        ("set-role", "restore"),
        {
            "type": Path,
            "default": Path(),
            "metavar": "FOLDER",
            "help": "where the copy of the present block goes; default: here",
        },
    ),
    Option(
        "--yes",
        ("set-role", "restore", "factory-reset"),
        {"action": "store_true", "help": "do not ask"},
    ),
    Option(
        "file",
        ("backup", "restore"),
        {"type": Path, "metavar": "FILE", "help": "the parameter block"},
    ),
    Option("--json", ("list",), {"action": "store_true", "help": "print JSON"}),
    Option(
        "--count",
        ("watch",),
        {"type": int, "metavar": "N", "help": "end after so many lines"},
    ),
)

Deed = Callable[[argparse.Namespace], int]
DEEDS: Mapping[str, tuple[Deed, str]] = {
    "list": (_list, "show every modem that answers: chip, role, key, who hears whom"),
    "check": (modemcheck.run, "tell whether the modem is fit for a charger, and why"),
    "backup": (_backup, "save the parameter block into a file"),
    "restore": (_restore, "write a saved parameter block back into its modem"),
    "set-role": (_set_role, "make it the modem of a charger (evse) or a car (pev)"),
    "reset": (_reset, "restart the modem and wait for it"),
    "factory-reset": (_factory_reset, "restore the factory parameters"),
    "watch": (modemwatch.run, "show attenuation by group and rates, live"),
}
