"""What ``pilothat pki`` does: make, ocsp, show, check."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace

from pilothat.pnc.authority import PLANS, Plan, attest, make_pki
from pilothat.pnc.staple import WEEK_S, when
from pilothat.runtime.pkifiles import (
    files_of,
    read_certificates,
    read_issuer,
    secc_places,
    write_new,
    write_over,
)
from pilothat.service import pkicheck, pkitree

OK, FAILED = 0, 1


def make(options: argparse.Namespace) -> int:
    """Make a test PKI in a folder in which there is none."""
    pki = make_pki(time.time(), os.urandom, _plans(options.emaid, options.secc))
    files = files_of(pki)
    write_new(options.folder, files)
    _say(f"{len(files)} files in {options.folder}: a test PKI, for no real customer")
    _say(f"  station   secc/    {options.secc}")
    _say(f"  car       ev/      {options.emaid}")
    _say("  trusted   trust/   V2G, MO and OEM root")
    _say(f"look at it: pilothat pki show {options.folder}")
    return OK


def ocsp(options: argparse.Namespace) -> int:
    """Sign OCSP responses about the station's certificates, by a test PKI's keys."""
    now_s = time.time()
    for place in secc_places(options.folder):
        (leaf, *_) = read_certificates(place.chain_path(options.folder))
        issuer = read_issuer(options.folder, leaf)
        path = place.ocsp_path(options.folder)
        write_over(path, attest(leaf, issuer, now_s))
        _say(f"{path}: {leaf.name} is good until {when(now_s + WEEK_S)}")
    return OK


def show(options: argparse.Namespace) -> int:
    """Draw all certificates of a file or a folder."""
    for line in pkitree.drawn(options.path, _now_s(options)):
        _say(line)
    return OK


def check(options: argparse.Namespace) -> int:
    """Tell what is wrong with a folder."""
    report = pkicheck.examined(options.folder, _now_s(options))
    for line in report.problems:
        _say(line)
    for line in report.notes:
        _say(f"note: {line}")
    _say(f"{len(report.problems)} problems, {len(report.notes)} notes")
    return FAILED if report.problems else OK


def _now_s(options: argparse.Namespace) -> float:
    return time.time() if options.on is None else float(options.on)


def _plans(emaid: str, secc: str) -> tuple[Plan, ...]:
    names = {"contract": emaid, "secc": secc}
    return tuple(
        [replace(p, common_name=names.get(p.name, p.common_name)) for p in PLANS]
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
