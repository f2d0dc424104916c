"""Drawings of a board as SVG: its blocks, and its pins on the Pi's header.

Words and constants come from the tables of the board; nothing here knows a pin or a
value. Plain text in plain shapes, so that a change of a table is a short difference.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pilothat.board.circuit import FIXED, HEADER, with_constants
from pilothat.board.revision import Revision

_STYLE = """<style>
text { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 12px; fill: #222 }
.small { font-size: 10px; fill: #555 }
.pin { font-size: 10px; fill: #111 }
.title { font-size: 15px; font-weight: bold }
.wire { fill: none; stroke: #444; stroke-width: 1.4; marker-end: url(#tip) }
.box { stroke: #777; rx: 5px }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"
 markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs>"""
_CHAR_PX, _LINE_PX = 7.2, 14


def blocks(text: str, revision: Revision) -> str:
    """Return the drawing of a table of boxes and wires (TOML)."""
    table = tomllib.loads(text)
    lines: list[str] = []
    for wire in table["wires"]:
        lines += _wire(wire)
    for box in table["boxes"]:
        lines += _box(box, table["colours"], revision)
    width, height = table["size"]
    return _picture(width, height, lines)


def _wire(wire: Mapping[str, Any]) -> Iterator[str]:
    points = " ".join(f"{x},{y}" for x, y in wire["points"])
    colour = f' style="stroke: {wire["colour"]}"' if "colour" in wire else ""
    yield f'<polyline class="wire" points="{points}"{colour}/>'
    if words := wire.get("words"):
        x, y = wire["at"]
        yield _text(x, y, words, "small")


def _box(
    box: Mapping[str, Any], colours: Mapping[str, str], revision: Revision
) -> Iterator[str]:
    x, y, width, height = box["at"]
    yield _rectangle((x, y, width, height), colours[box["kind"]])
    room = int(width / _CHAR_PX)
    words = textwrap.wrap(with_constants(box["words"], revision), room)
    parts = textwrap.wrap(box["parts"], int(room * 1.2))
    at = y + (height - _LINE_PX * (len(words) + len(parts))) / 2 + 11
    for number, line in enumerate((*words, *parts)):
        style = "" if number < len(words) else "small"
        middle = x + width / 2
        yield _text(middle, at + number * _LINE_PX, line, style, "middle")


# --- pins

GROUNDS = (6, 9, 14, 20, 25, 30, 34, 39)
SUPPLIES: Mapping[int, str] = {1: "3.3 V", 17: "3.3 V", 2: "5 V", 4: "5 V"}
_UNUSED = "not used"
# group -> colour, and the names that begin so; the first that fits counts
GROUPS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("pilot", "#6fbf82", ("cp_",)),
    ("safety and contactors", "#e07a7a", ("k1_", "k2_", "wd_", "estop", "fault")),
    ("measurement (SPI1)", "#9a8fe0", ("adc_",)),
    ("powerline (SPI0)", "#f0b04f", ("spi0_", "plc_")),
    ("lights and lock", "#7fb2dd", ("led_", "lock_")),
    ("ID EEPROM", "#c9b27c", ("id_",)),
    ("supply", "#f2d544", ("3.3 V", "5 V")),
    ("ground", "#a8a8a8", ("ground",)),
    ("not used", "#fff", (_UNUSED,)),
)
PURPOSES: Mapping[str, str] = {
    "cp_pwm": "pilot, hardware PWM",
    "cp_en": "pilot driver on",
    "k1_req": "close the contactor",
    "k2_req": "enable the supply",
    "wd_hb": "edges keep the watchdog up",
    "estop_n": "emergency stop released",
    "k1_fb_n": "contactor open (mirror)",
    "k2_fb_n": "supply not enabled (mirror)",
    "fault_n": "RCM or IMD good",
    "led_green": "light",
    "led_red": "light",
    "lock_in1": "lock the plug",
    "lock_in2": "unlock the plug",
    "plc_int": "modem has something",
    "adc_ce": "chip select",
    "adc_miso": "from the ADC",
    "adc_mosi": "to the ADC",
    "adc_sclk": "clock",
    "spi0_ce0": "chip select",
    "spi0_miso": "from the modem",
    "spi0_mosi": "to the modem",
    "spi0_sclk": "clock",
    "id_sd": "data",
    "id_sc": "clock",
}
_ROW_PX, _TOP_PX, _MIDDLE_PX, _PIN_PX = 24, 70, 400, 14


def pin_map(revision: Revision) -> str:
    """Return the header as one looks at it, with what each pin does."""
    lines = [
        _text(_MIDDLE_PX, 24, revision.board.product, "title", "middle"),
        _text(
            _MIDDLE_PX, 44, "header of the Pi, pin 1 next to the SD card", "", "middle"
        ),
        _rectangle((_MIDDLE_PX - 34, _TOP_PX - 16, 68, 20 * _ROW_PX + 8), "#333"),
    ]
    names = pin_names(revision)
    for pin in range(1, 41):
        lines += _pin(pin, *names[pin])
    lines += _legend()
    return _picture(2 * _MIDDLE_PX, _TOP_PX + 20 * _ROW_PX + 80, lines)


def pin_names(revision: Revision) -> Mapping[int, tuple[str, str]]:
    """Return what each pin of the header is on the Pi, and what it does here."""
    ours = {
        name: getattr(revision.pins, name) for name in type(revision.pins).__slots__
    }
    uses = {gpio: name for name, gpio in (ours | dict(FIXED)).items()}
    named = {pin: ("", words) for pin, words in SUPPLIES.items()}
    named |= dict.fromkeys(GROUNDS, ("", "ground"))
    for gpio, pin in HEADER.items():
        named[pin] = (f"GPIO{gpio}", uses.get(gpio, _UNUSED))
    return named


def colour_of(name: str) -> str:
    """Return the colour of a pin's group. Raises StopIteration for one of no group."""
    return next(colour for _, colour, heads in GROUPS if name.startswith(heads))


def _pin(pin: int, gpio: str, name: str) -> Iterator[str]:
    side = -1 if pin % 2 else 1
    x, y = _MIDDLE_PX + side * _PIN_PX, _TOP_PX + (pin - 1) // 2 * _ROW_PX
    anchor = "end" if side < 0 else "start"
    yield f'<circle cx="{x}" cy="{y}" r="9" fill="{colour_of(name)}" stroke="#fff"/>'
    yield _text(x, y + 3.5, str(pin), "pin", "middle")
    yield _text(x + side * 32, y + 4, gpio, "small", anchor)
    yield _text(x + side * 84, y + 4, name, "", anchor)
    yield _text(x + side * 168, y + 4, PURPOSES.get(name, ""), "small", anchor)


def _legend() -> Iterator[str]:
    top = _TOP_PX + 20 * _ROW_PX + 16
    for number, (name, colour, _) in enumerate(GROUPS):
        x, y = 110 + number % 3 * 210, top + number // 3 * 20
        yield f'<circle cx="{x}" cy="{y}" r="7" fill="{colour}" stroke="#777"/>'
        yield _text(x + 14, y + 4, name, "")


# --- shapes


def _picture(width: int, height: int, lines: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    paper = _rectangle((0, 0, width, height), "#fff").replace(' class="box"', "")
    return "\n".join([f'{head} width="{width}">', _STYLE, paper, *lines, "</svg>", ""])


def _rectangle(at: tuple[float, float, float, float], colour: str) -> str:
    x, y, width, height = at
    place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f'<rect class="box" {place} fill="{colour}"/>'


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(words)}</text>'
