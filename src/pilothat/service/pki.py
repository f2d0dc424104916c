"""Make, show and check the certificates of Plug & Charge and TLS.

    pilothat pki make ./pki                 a complete test PKI: station, car, CAs
    pilothat pki ocsp ./pki                 a fresh OCSP response for its station
    pilothat pki show ./pki                 all chains as a tree, and when each ends
    pilothat pki show cert.pem              the same of one file
    pilothat pki check ./pki                is it fit for a station; each problem a line
    pilothat pki check ./pki --on 2027-03-01   will it still be fit on that day

Nothing but an OCSP response is ever overwritten, keys can only be read by their owner,
and none leaves this machine. What stands where in the folder: docs/pki.md.
Exit codes: 0 ok, 1 failed or not fit, 2 wrong usage.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import cast

from pilothat.pnc.contract import is_emaid, normalised
from pilothat.runtime.library import need_library

DEFAULT_EMAID = "DE1ABCD2EF357A"
DEFAULT_SECC = "DE*PHT*E000001"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    deeds = parser.add_subparsers(dest="deed", metavar="WHAT", required=True)
    make = deeds.add_parser("make", help="make a complete test PKI")
    make.add_argument("folder", type=Path, metavar="FOLDER")
    make.add_argument(
        "--emaid",
        type=_emaid,
        default=DEFAULT_EMAID,
        metavar="EMAID",
        help=f"the car's contract ({DEFAULT_EMAID})",
    )
    make.add_argument(
        "--secc",
        default=DEFAULT_SECC,
        metavar="NAME",
        help=f"the station's name ({DEFAULT_SECC})",
    )
    ocsp = deeds.add_parser(
        "ocsp", help="sign an OCSP response for the station of a test PKI, or renew it"
    )
    ocsp.add_argument("folder", type=Path, metavar="FOLDER")
    show = deeds.add_parser("show", help="draw chains, and tell when each ends")
    show.add_argument("path", type=Path, metavar="FILE|FOLDER")
    check = deeds.add_parser("check", help="tell what is wrong with a folder")
    check.add_argument("folder", type=Path, metavar="FOLDER")
    for one in (show, check):
        one.add_argument(
            "--on", type=_day, metavar="DATE", help="judge as of this day, not now"
        )


def run(options: argparse.Namespace) -> int:
    """Do what was asked. Raises ConfigError where the library for it is missing."""
    need_library("pilothat pki", f"pki {options.deed}")
    module = import_module("pilothat.service.pkideeds")
    deed = cast("Callable[[argparse.Namespace], int]", getattr(module, options.deed))
    return deed(options)


def _emaid(text: str) -> str:
    if not is_emaid(text):
        raise argparse.ArgumentTypeError(f"'{text}': give it as {DEFAULT_EMAID}")
    return normalised(text)


def _day(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}': give it as 2027-03-01") from None
