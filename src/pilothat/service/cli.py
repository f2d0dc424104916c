"""The command ``pilothat``: subcommands, help that teaches, stable exit codes.

0 ok, 1 failed, 2 wrong usage or configuration. Each command lives in a module of its
own that is imported when it is used, so that the station stays small and starts fast.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

from pilothat import __version__
from pilothat.errors import ConfigError, PilotHatError

OK, FAILED, USAGE = 0, 1, 2

DESCRIPTION = """\
A charging-station controller for the Raspberry Pi: control pilot, SLAC, DIN SPEC 70121
and ISO 15118-2, from the edge on the pilot to the charge and back to a safe idle.

WARNING: a DC charger switches hundreds of volts. Read docs/safety.md before you
connect anything but the twin."""

EPILOG = """\
start here:
  pilothat demo                         a car charges, no hardware needed
  pilothat demo --car tesla_model3      the same with another car
  pilothat run --example > station.toml && pilothat run --config station.toml
  pilothat decode 809a02004080c1014181c211600040800001028488f800

exit codes: 0 ok, 1 failed, 2 wrong usage or configuration"""

Parsers = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command = Callable[[argparse.Namespace], int]

# command -> (module, what it does); the module has add_arguments(parser) and run(args)
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo", "show a whole charge in the twin's world"),
    "run": ("run", "run the station on an interface and a board"),
    "setup": ("setup", "make this machine a station's, and undo it"),
    "check": ("check", "check the settings against this machine"),
    "make-safe": ("makesafe", "open the contactor while no station runs"),
    "status": ("status", "show how the running station is, live on a terminal"),
    "stop": ("stop", "stop the charge of the running station, in order"),
    "authorize": ("authorize", "let the car that waits charge, or refuse it"),
    "wake": ("wake", "offer a car that pauses to go on"),
    "clear": ("clear", "clear a latched fault that is understood"),
    "sessions": ("sessions", "list past charges; draw one"),
    "export": ("export", "pack a charge into one file, to attach to a question"),
    "hat-twin": ("hattwin", "be the HAT: pigpio's daemon on a simulated board"),
    "selftest": ("selftest", "measure a board: value, limits, PASS or FAIL"),
    "calibrate": ("calibrate", "measure a board's own zero and gain, for its file"),
    "ev": ("ev", "be a car, against any charger on an interface"),
    "capture": ("capture", "record SLAC, SDP, V2GTP and the pilot into a file"),
    "conformance": ("conformance", "play conformance cases against a station"),
    "modem": ("modem", "look at powerline modems; make one the modem of a charger"),
    "pki": ("pki", "make, show and check certificates for TLS and Plug & Charge"),
    "decode": ("decode", "tell what was said: captures, sessions, hex; and draw it"),
    "encode": ("encode", "turn what decode prints back into EXI or V2GTP"),
    "check-vectors": ("checkvectors", "run EXI vector files against the codec"),
    "replay": ("replay", "play a recorded car, or a journal, against a fresh station"),
    "sim": ("sim", "run seeded sessions with random faults and check the invariants"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(given)
    options = parser.parse_args(given)
    if options.command is None:
        parser.print_help()
        return USAGE
    try:
        command = cast("Command", options.run)
        return command(options)
    except ConfigError as error:
        sys.stderr.write(f"pilothat: {error}\n")
        return USAGE
    except PilotHatError as error:
        sys.stderr.write(f"pilothat: {error}\n")
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the module of the command that is used is imported."""
    parser = argparse.ArgumentParser(
        prog="pilothat",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    used = next((word for word in given if not word.startswith("-")), "")
    for name, (module, about) in COMMANDS.items():
        if name != used:
            commands.add_parser(name, help=about)
            continue
        found = import_module(f"pilothat.service.{module}")
        one = commands.add_parser(
            name,
            help=about,
            description=found.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        found.add_arguments(one)
        one.set_defaults(run=found.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
