"""The table of settings: the only place that knows one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pilothat.board.pigpiowire import PORT
from pilothat.board.revision import DEFAULT, names
from pilothat.board.wallboxwire import AUTO, DIALECTS, PILOTHAT
from pilothat.frozen import dataclass
from pilothat.runtime.panel import NO_BUTTON
from pilothat.slac.timing import EIM_PATIENCE_S
from pilothat.v2g.quirks import Quirk

Value = str | int | float | bool
INSTALLED = "/etc/pilothat/pilothat.toml"  # of the service
LAST_GPIO = 27  # at the header
CONTROL = "/run/pilothat/control.sock"


@dataclass(frozen=True, slots=True)
class Key:
    """One setting.

    kind: str, bool, int or float (which also takes whole numbers)
    low, high: allowed range of a number; choices: allowed values of a string
    default: None makes it mandatory
    """

    section: str
    name: str
    kind: type
    default: Value | None
    why: str
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def path(self) -> str:
        """Section and name."""
        return f"{self.section}.{self.name}"

    @property
    def allowed(self) -> str:
        """What the value may be, for a person."""
        if self.choices:
            return "one of " + ", ".join(f'"{choice}"' for choice in self.choices)
        if self.kind is bool:
            return "true or false"
        if self.kind is str:
            return f"text like {self.pattern}" if self.pattern else "text"
        kind = "a whole number" if self.kind is int else "a number"
        return f"{kind} from {self.low:g} to {self.high:g} {self.unit}".rstrip()


BANDS = r"(([01]\d|2[0-3]):[0-5]\d=[1-9]\d?( |$))*"
KEYS: Sequence[Key] = (
    Key(
        "station",
        "interface",
        str,
        None,
        "network interface of the powerline modem; nothing is sent on any other",
        pattern="[A-Za-z0-9._:-]{1,15}",
    ),
    Key(
        "station",
        "evse_id",
        str,
        "49A80737A45678",
        "EVSE ID told to the car, 1 to 32 bytes as hex digits",
        pattern="([0-9A-Fa-f]{2}){1,32}",
    ),
    Key(
        "station",
        "evse_id_iso",
        str,
        "ZZ00000",
        "EVSE ID told by ISO 15118-2, as DE*ABC*E123456; ZZ00000 is none",
        pattern="[A-Za-z0-9*]{7,37}",
    ),
    Key(
        "station",
        "meter_id",
        str,
        "",
        "name of the meter whose readings cars are told; empty tells none",
        pattern="[ -~]{0,32}",
    ),
    Key(
        "station",
        "authorisation",
        str,
        "free",
        "free: every car may charge; ask: it waits for `pilothat authorize`, a button "
        "or SIGUSR1",
        choices=("free", "ask"),
    ),
    Key(
        "station",
        "journal",
        str,
        "",
        "folder for the journal of all events; empty keeps none",
    ),
    Key(
        "station",
        "control",
        str,
        CONTROL,
        "socket by which pilothat status, stop and the like reach the running station; "
        "its folder must be there",
    ),
    Key(
        "station",
        "records",
        str,
        "",
        "folder for the record of each charge (pilothat sessions) and for latched "
        "faults; empty keeps none over a restart",
    ),
    Key(
        "station",
        "outlet",
        str,
        "dc",
        "what the outlet gives: dc (CCS), or ac, mains through a contactor",
        choices=("dc", "ac"),
    ),
    Key("ac", "nominal_v", float, 230.0, "mains, phase to neutral", 100.0, 300.0, "V"),
    Key("ac", "max_a", float, 16.0, "rated current of each phase", 6.0, 80.0, "A"),
    Key("ac", "phases", int, 3, "phases of the outlet", 1, 3),
    Key(
        "ac",
        "patience_s",
        float,
        EIM_PATIENCE_S,
        "a car that is authorised while it is being matched has so long for it; then "
        "the duty offers the current",
        0.0,
        60.0,
        "s",
    ),
    Key(
        "ac",
        "interrupt_on_link_loss",
        bool,
        default=False,
        why="a lost powerline link ends charging by the duty too, not only the session",
    ),
    Key(
        "ac",
        "read_soc",
        bool,
        default=False,
        why="ask a car by DIN SPEC 70121 how full it is, then charge by the duty alone",
    ),
    Key("limits", "max_v", float, 500.0, "rated voltage", 150.0, 1000.0, "V"),
    Key("limits", "min_v", float, 150.0, "lowest voltage", 0.0, 1000.0, "V"),
    Key("limits", "max_a", float, 125.0, "rated current", 1.0, 500.0, "A"),
    Key("limits", "min_a", float, 1.0, "lowest current", 0.0, 500.0, "A"),
    Key("limits", "max_w", float, 50_000.0, "rated power", 100.0, 400_000.0, "W"),
    Key(
        "pilot",
        "ventilation",
        bool,
        default=False,
        why="the room has ventilation: cars that ask for it (state D) may charge",
    ),
    Key(
        "slac",
        "attn_rx_db",
        int,
        0,
        "what the receive path between socket and modem loses",
        0,
        60,
        "dB",
    ),
    Key(
        "slac",
        "strict_ids",
        bool,
        default=True,
        why="ignore cars that fill the unused ID fields (one vendor's demo does)",
    ),
    Key(
        "slac",
        "validation",
        str,
        "when_needed",
        "count toggles of CP for a car that asks: when_needed is if several cars sound",
        choices=("never", "when_needed", "always"),
    ),
    Key(
        "slac",
        "weaker_by_db",
        int,
        0,
        "a matched car is asked to send so much weaker, in steps of 2; 0 asks nothing",
        0,
        30,
        "dB",
    ),
    Key(
        "slac",
        "retries",
        int,
        2,
        "matches tried before a car must be plugged in again",
        0,
        10,
    ),
    Key(
        "v2g",
        "profile",
        str,
        "field",
        "field: tolerate what real cars are known for; conformance: tolerate nothing",
        choices=("field", "conformance"),
    ),
    *(
        Key(
            "tolerate",
            quirk.key,
            bool,
            default=True,
            why=f"with v2g.profile field: {quirk.value}",
        )
        for quirk in Quirk
    ),
    Key(
        "v2g",
        "protocols",
        str,
        "all",
        "what a car may choose: DIN SPEC 70121, ISO 15118-2, or all of them",
        choices=("all", "din", "iso2"),
    ),
    Key(
        "v2g",
        "tariff",
        str,
        "",
        "price levels of the day, told to cars of ISO 15118-2: 00:00=1 06:00=3 20:00=2 "
        "is cheapest from midnight; empty tells none",
        pattern=BANDS,
    ),
    Key(
        "v2g",
        "internet",
        str,
        "",
        "the way into the internet that cars of ISO 15118-2 are offered, as in "
        "http https; only where this machine routes them; empty offers none",
        pattern="((ftp|http|https)( |$))*",
    ),
    Key(
        "v2g",
        "tls",
        str,
        "off",
        "TLS of ISO 15118-2: offered beside plain TCP, or required of every car",
        choices=("off", "offered", "required"),
    ),
    Key(
        "v2g",
        "pki",
        str,
        "",
        "folder with certificates and keys, needed for TLS (docs/pki.md)",
    ),
    Key(
        "v2g",
        "contracts",
        bool,
        default=True,
        why="Plug & Charge for cars on TLS, with contracts below the roots in v2g.pki",
    ),
    Key(
        "v2g",
        "contract_only",
        bool,
        default=False,
        why="cars on TLS may pay by contract only, not outside",
    ),
    Key(
        "v2g",
        "release_contracts",
        bool,
        default=False,
        why="a good contract is not enough: it waits as station.authorisation says",
    ),
    Key(
        "v2g",
        "issue_contracts",
        bool,
        default=False,
        why="give cars test contracts, with the keys in v2g.pki; for the bench",
    ),
    Key(
        "v2g",
        "receipts",
        bool,
        default=False,
        why="cars with a contract sign meter readings; needs station.meter_id",
    ),
    Key(
        "v2g",
        "keylog",
        str,
        "",
        "file for the secrets of TLS sessions, which lets its readers read them; "
        "empty keeps none",
    ),
    Key(
        "board",
        "driver",
        str,
        "twin",
        "the HAT that drives the pilot; twin is a simulated one, pigpio is on a Pi "
        "Zero to 4 with pigpio's daemon, kernel on every Pi; auto goes by the HAT's "
        "EEPROM and the Pi; wallbox is an Arduino in the HAT's place",
        choices=("twin", "pigpio", "kernel", "auto", "wallbox"),
    ),
    Key(
        "board",
        "revision",
        str,
        DEFAULT,
        "revision of the HAT, with all its constants",
        choices=tuple(names()),
    ),
    Key(
        "board",
        "calibration",
        str,
        "",
        "file that pilothat calibrate wrote for this very board; empty: as designed",
    ),
    Key(
        "board",
        "panel",
        bool,
        default=False,
        why="the board's LEDs show the station's phase; gpiozero reads contactor "
        "feedback and emergency stop beside the guard",
    ),
    Key(
        "board",
        "lock",
        bool,
        default=False,
        why="a socket's lock holds the plug from the match until the outlet is dead; "
        "needs board.panel",
    ),
    Key(
        "board",
        "button_gpio",
        int,
        NO_BUTTON,
        "GPIO of a button to ground, at a pin that the HAT leaves free: it lets a car "
        "charge that waits for it, wakes one that sleeps, and ends a charge; "
        "-1 is none; needs board.panel",
        NO_BUTTON,
        LAST_GPIO,
    ),
    Key(
        "board",
        "pigpio_host",
        str,
        "127.0.0.1",
        "where pigpio's daemon runs; a HAT is driven from its own Pi",
    ),
    Key("board", "pigpio_port", int, PORT, "port of pigpio's daemon", 1, 65535),
    Key(
        "board",
        "kernel_twin",
        str,
        "",
        "socket of a twin's kernel (pilothat hat-twin --kernel); empty: this machine's",
    ),
    Key(
        "board",
        "wallbox_port",
        str,
        AUTO,
        "serial port of the Arduino, best as /dev/serial/by-id/...; auto takes the "
        "only known adapter there is",
    ),
    Key(
        "board",
        "wallbox_dialect",
        str,
        PILOTHAT,
        "what is flashed: our sketch, or text, the published one, which takes no "
        "commands: its pilot is shown, and no power is ever given through it",
        choices=DIALECTS,
    ),
    Key(
        "board",
        "socket",
        str,
        "/tmp/pilothat-bench.sock",
        "where the twin's bench is reached by a simulated car (pilothat ev --bench)",
    ),
    Key(
        "supply",
        "driver",
        str,
        "twin",
        "the DC supply; twin is the one of the twin's bench",
        choices=("twin",),
    ),
    Key(
        "supply",
        "simulate_precharge",
        bool,
        default=False,
        why="bench without a supply: cable check and precharge are said to be good, "
        "nothing is measured, and nothing is ever switched on",
    ),
)
