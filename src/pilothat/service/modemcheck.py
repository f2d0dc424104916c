"""The doctor of ``pilothat modem check``: one line a finding, with what to do."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator

from pilothat.errors import PilotHatError
from pilothat.homeplug.frame import mac_text
from pilothat.homeplug.nid import NMK_BYTES
from pilothat.plc.module import read_pib, set_key
from pilothat.plc.pib import LENGTHS, Role
from pilothat.plc.survey import Found, chosen
from pilothat.runtime import netwatch
from pilothat.service.findings import Finding, Verdict, failed, told
from pilothat.service.modemtalk import converse

NO_PROFILE = ("QCA7420",)  # seen: profiles without groups


def run(options: argparse.Namespace) -> int:
    """Print the findings as they come; 1 when one has failed."""
    return told(findings(options.interface, options.mac))


def findings(interface: str, mac: bytes | None) -> Iterator[Finding]:
    """Look at one thing after the other; end where nothing more can be seen."""
    try:
        found = netwatch.find(interface)
    except PilotHatError as error:
        yield failed("interface", error)
        return
    yield Finding(Verdict.PASS, "interface", f"{interface}, {mac_text(found.mac)}")
    if not netwatch.is_up(interface):
        remedy = f"Check the cable; sudo ip link set {interface} up"
        yield Finding(Verdict.FAIL, "link", "down or without carrier", remedy)
        return
    yield Finding(Verdict.PASS, "link", "up")
    try:
        modem = converse(interface, chosen(mac))
    except PilotHatError as error:
        yield failed("modem alive", error)
        return
    yield Finding(
        Verdict.PASS, "modem alive", f"{mac_text(modem.mac)}, {modem.firmware}"
    )
    yield from _chip(modem)
    yield from _block(interface, modem)
    yield _role(interface, modem)
    yield _key(interface, modem)


def _chip(modem: Found) -> Iterator[Finding]:
    known = ", ".join(LENGTHS)
    if modem.chip not in LENGTHS:
        yield Finding(
            Verdict.WARN, "chip", modem.chip or "without name", f"Known are {known}"
        )
        return
    yield Finding(Verdict.PASS, "chip", modem.chip)
    if modem.chip in NO_PROFILE:
        yield Finding(
            Verdict.WARN,
            "attenuation",
            "this firmware measures none",
            "A car will match, but a neighbour's charger cannot be told from this one",
        )
    else:
        yield Finding(Verdict.PASS, "attenuation", "measured by this chip")


def _block(interface: str, modem: Found) -> Iterator[Finding]:
    try:
        pib = converse(interface, read_pib(modem.mac))
    except PilotHatError as error:
        yield failed("parameters", error)
        return
    measured = f"{pib.length} bytes, checksums hold, user text '{pib.user}'"
    yield Finding(Verdict.PASS, "parameters", measured)


def _role(interface: str, modem: Found) -> Finding:
    stored = modem.stored_role
    if stored is None:
        verdict = Verdict.PASS if modem.is_coordinator else Verdict.WARN
        return Finding(verdict, "role", modem.role_words)
    measured = f"{modem.role_words} (CCo {stored[0]}, SLAC {stored[1]})"
    if modem.role is Role.EVSE:
        return Finding(Verdict.PASS, "role", measured)
    remedy = f"pilothat modem set-role evse --interface {interface}"
    return Finding(Verdict.FAIL, "role", measured, remedy)


def _key(interface: str, modem: Found) -> Finding:
    """Try a fresh key, unless a car would lose its link by it."""
    if modem.peers:
        peer = mac_text(modem.peers[0].mac)
        return Finding(
            Verdict.WARN, "key", f"not tried: {peer} is linked", "Unplug the car first"
        )
    try:
        converse(interface, set_key(modem.mac, secrets.token_bytes(NMK_BYTES)))
    except PilotHatError as error:
        return failed("key", error)
    return Finding(Verdict.PASS, "key", "a fresh one was taken")
