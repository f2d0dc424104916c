"""The circuit of a board as data: parts, pins and nets; checked, and written out.

The file of a circuit names every connection; values come from the table of constants
(``board.revision``), so that netlist, driver and twin cannot differ.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pilothat.board.revision import Revision
from pilothat.errors import ConfigError
from pilothat.frozen import dataclass

GPIO = "gpio."
# GPIO number -> pin of the 40-pin header
HEADER: Mapping[int, int] = {
    0: 27, 1: 28, 2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23,
    12: 32, 13: 33, 14: 8, 15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40,
    22: 15, 23: 16, 24: 18, 25: 22, 26: 37, 27: 13,
}  # fmt: skip
# what has its place on every Pi
FIXED: Mapping[str, int] = {
    "id_sd": 0,
    "id_sc": 1,
    "spi0_ce0": 8,
    "spi0_miso": 9,
    "spi0_mosi": 10,
    "spi0_sclk": 11,
}
SUPPLY_PINS = {"5V": 2, "3V3": 1, "GND": 6}
_READ_HERE = (
    "estop_n",
    "k1_fb_n",
    "k2_fb_n",
    "fault_n",
    "plc_int",
    "adc_miso",
    "spi0_miso",
)
_VALUE = re.compile(r"@(\w+)\.(\w+)")
_PIN = re.compile(r"(\w+):(\d+):([iobtcpPSn])")


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin.

    function: i input, o output, b both, t three-state, c open collector, p passive,
        P takes power, S gives it, n is not connected
    """

    name: str
    number: int
    function: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part with its value as it is ordered."""

    ref: str
    value: str
    mpn: str
    alternatives: str
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class Circuit:
    """Parts by reference, nets as lists of (reference, pin name)."""

    parts: Mapping[str, Part]
    nets: Mapping[str, Sequence[tuple[str, str]]]

    def pin(self, ref: str, name: str) -> Pin:
        """Return a pin. Raises ConfigError for one that the part has not."""
        for pin in self.parts[ref].pins if ref in self.parts else ():
            if pin.name == name:
                return pin
        raise ConfigError("no such pin", where=f"{ref}.{name}")


def read(text: str, revision: Revision) -> Circuit:
    """Read a circuit from TOML. Raises ConfigError."""
    table = tomllib.loads(text)
    parts = {
        ref: _part(ref, told, revision) for ref, told in table.get("parts", {}).items()
    }
    parts["J1"] = _header(revision)
    nets = {
        name: [_end(one) for one in ends]
        for name, ends in table.get("nets", {}).items()
    }
    return Circuit(parts, nets)


def with_constants(text: str, revision: Revision) -> str:
    """Return a text with its @section.name as numbers. Raises ConfigError."""
    return _VALUE.sub(lambda found: _constant(revision, *found.groups()), text)


def complaints(circuit: Circuit) -> Iterator[str]:
    """Yield what is wrong with a circuit (electrical rules)."""
    for (ref, name), count in _uses(circuit).items():
        if count > 1:
            yield f"{ref}.{name} is on {count} nets"
    for name, ends in circuit.nets.items():
        pins = [circuit.pin(*end) for end in ends]
        yield from _net_complaints(name, [pin.function for pin in pins])
        yield from _gpio_complaints(name, ends)
    used = set(_uses(circuit))
    for part in circuit.parts.values():
        for pin in part.pins:
            is_free = pin.function == "n" or part.ref == "J1"
            if not is_free and (part.ref, pin.name) not in used:
                yield f"{part.ref}.{pin.name} is on no net"


def bill(circuit: Circuit) -> str:
    """Return the bill of materials as CSV."""
    lines = ["references,count,value,part,alternatives"]
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for part in circuit.parts.values():
        kinds.setdefault((part.value, part.mpn, part.alternatives), []).append(part.ref)
    for (value, mpn, alternatives), refs in kinds.items():
        cells = (" ".join(refs), str(len(refs)), value, mpn, alternatives)
        lines.append(",".join(f'"{cell}"' for cell in cells))
    return "\n".join(lines) + "\n"


def netlist(circuit: Circuit) -> str:
    """Return the netlist as layout programs read it (KiCad's format)."""
    lines = ['(export (version "E")', "  (components"]
    lines += [
        f'    (comp (ref "{part.ref}") (value "{part.value}"))'
        for part in circuit.parts.values()
    ]
    lines += ["  )", "  (nets"]
    for code, (name, ends) in enumerate(circuit.nets.items(), 1):
        lines.append(f'    (net (code "{code}") (name "{name}")')
        for ref, pin_name in ends:
            pin = circuit.pin(ref, pin_name)
            told = f'(pin "{pin.number}") (pinfunction "{pin.name}")'
            lines.append(f'      (node (ref "{ref}") {told})')
        lines.append("    )")
    return "\n".join([*lines, "  )", ")", ""])


def _net_complaints(name: str, functions: Sequence[str]) -> Iterator[str]:
    counts = Counter(functions)
    if len(functions) < 2:
        yield f"{name}: only one pin"
    if counts["o"] + counts["S"] > 1 and name != "GND":
        yield f"{name}: {counts['o'] + counts['S']} pins drive it"
    if counts["i"] and not any(counts[kind] for kind in "obtcpSP"):
        yield f"{name}: nothing drives it"
    if counts["P"] and not any(counts[kind] for kind in "So"):
        yield f"{name}: nothing feeds it"


def _gpio_complaints(name: str, ends: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield nets that do not go to the GPIO they are called after."""
    if name.startswith(GPIO) and ("J1", name.removeprefix(GPIO)) not in ends:
        yield f"{name} does not go to its pin"


def _uses(circuit: Circuit) -> Counter[tuple[str, str]]:
    return Counter(end for ends in circuit.nets.values() for end in ends)


def _part(ref: str, told: Mapping[str, str], revision: Revision) -> Part:
    pins = tuple(
        Pin(name, int(number), function)
        for name, number, function in _PIN.findall(told["pins"])
    )
    if len(pins) != len(told["pins"].split()):
        raise ConfigError(f"cannot read '{told['pins']}'", where=ref)
    value = with_constants(told["value"], revision)
    return Part(ref, value, told["mpn"], told.get("alternatives", ""), pins)


def _constant(revision: Revision, section: str, name: str) -> str:
    value: Any = getattr(getattr(revision, section, None), name, None)
    if value is None:
        raise ConfigError("no such constant", where=f"@{section}.{name}")
    return f"{value:g}"


def _header(revision: Revision) -> Part:
    """Return the header: what the table names, and what every Pi has."""
    names = type(revision.pins).__slots__
    numbers = {name: getattr(revision.pins, name) for name in names} | dict(FIXED)
    pins = [Pin(name, HEADER[gpio], _function(name)) for name, gpio in numbers.items()]
    supply = {"5V": "P", "3V3": "S", "GND": "P"}
    pins += [Pin(name, number, supply[name]) for name, number in SUPPLY_PINS.items()]
    return Part("J1", "40-pin header", "2 x 20 socket, 2.54 mm", "", tuple(pins))


def _function(name: str) -> str:
    if name == "id_sd":
        return "b"
    return "i" if name in _READ_HERE else "o"


def _end(text: str) -> tuple[str, str]:
    ref, _, name = text.partition(".")
    return ref, name
