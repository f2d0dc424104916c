"""The forms in which decoded messages are printed.

line: what matters, one line a message; tree: all of it, indented, with units; json: all
of it, one object a line, which can be read again like a recorded session; message: the
bare message as JSON, with what is wrong on standard error.
"""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from pilothat.frozen import dataclass
from pilothat.homeplug.frame import Frame
from pilothat.service.console import DIM, RED, YELLOW, complain, painted, printable
from pilothat.traffic.ear import Told
from pilothat.traffic.fields import Tone
from pilothat.traffic.piece import Layer, Side
from pilothat.traffic.slac import LOCAL
from pilothat.traffic.words import Word, plain, tree, words

MOST_COMPLAINTS = 20  # of what stands alone: a wrong file has no end of them
_ARROW_WIDTH = 10
_ARROWS: Mapping[Side | None, str] = {
    Side.EV: "EV -> EVSE",
    Side.EVSE: "EVSE -> EV",
    None: " " * _ARROW_WIDTH,
}
_COLOURS: Mapping[Tone, str] = {Tone.ALARM: RED, Tone.CAUTION: YELLOW}
_NAME_WIDTH = 28
_TREE_WIDTH = 36
_TREE_INDENT = "      "


@dataclass(frozen=True, slots=True)
class Style:
    """How it is printed.

    is_talk: with the columns time, stream and direction
    is_absolute: wall time, UTC, in place of seconds since the first line
    has_colour: on a terminal
    """

    is_talk: bool
    is_absolute: bool = False
    has_colour: bool = False


class Form(ABC):
    """Base: knows the time of the first message."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self._zero_s: float | None = None
        self._unread = 0

    def show(self, told: Told) -> None:
        """Print a message."""
        if told.error and told.piece.is_alone and not isinstance(self, Json):
            self._unread += 1
            if self._unread <= MOST_COMPLAINTS:
                complain(told.piece.where, told.error)
            return
        if self._zero_s is None:
            self._zero_s = told.piece.at_s
        for line in self.lines(told):
            sys.stdout.write(f"{line}\n")

    def finish(self) -> None:
        """Say how many complaints were left out."""
        if self._unread > MOST_COMPLAINTS:
            complain("", f"and {self._unread - MOST_COMPLAINTS} more like these")

    @abstractmethod
    def lines(self, told: Told) -> Iterator[str]:
        """Return what is printed of a message."""

    def _seconds(self, told: Told) -> float | None:
        at_s, zero_s = told.piece.at_s, self._zero_s
        if at_s is None or self.style.is_absolute:
            return at_s
        return round(at_s - (zero_s or 0.0), 6)


class Line(Form):
    """What matters, one line a message."""

    def lines(self, told: Told) -> Iterator[str]:
        shown = [self._painted(word) for word in _line_words(told)]
        notes = [*(f"tolerated {one}" for one in told.tolerances), *told.notes]
        if notes:
            text = printable(f"({'; '.join(notes)})")
            shown.append(self._coloured(text, DIM))
        name = f"{printable(told.name):<{_NAME_WIDTH}}"
        yield f"{self._columns(told)}{name}  {'  '.join(shown)}".rstrip()

    def _columns(self, told: Told) -> str:
        if not self.style.is_talk:
            return f"{told.piece.where}  " if told.piece.where else ""
        stream = f"#{told.piece.stream}" if told.piece.stream else ""
        return f"{self._time(told)}  {stream:<3} {_direction(told)}  "

    def _time(self, told: Told) -> str:
        seconds = self._seconds(told)
        if seconds is None:
            return told.piece.where.rjust(12)
        if not self.style.is_absolute:
            return f"{seconds:10.3f} s"
        try:
            moment = datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):  # no calendar has it
            return f"{seconds:.3f} s"
        return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}Z"

    def _painted(self, word: Word) -> str:
        colour = _COLOURS.get(word.tone)
        text = printable(word.text)
        return text if colour is None else self._coloured(f"!{text}", colour)

    def _coloured(self, text: str, colour: str) -> str:
        return painted(text, colour) if self.style.has_colour else text


class Tree(Line):
    """All of a message, indented."""

    def lines(self, told: Told) -> Iterator[str]:
        yield from super().lines(replace(told, content=None, value=None))
        for depth, name, value in tree(told):
            label = f"{_TREE_INDENT}{'  ' * depth}{name}"
            line = f"{label:<{_TREE_WIDTH}}  {value}" if value else label
            yield printable(line)


class Json(Form):
    """All of a message and of how it came, one object a line."""

    def lines(self, told: Told) -> Iterator[str]:
        piece = told.piece
        is_numbered = piece.layer in (Layer.SDP, Layer.V2GTP)
        record: dict[str, object] = {
            "t": self._seconds(told),
            "stream": piece.stream,
            "from": piece.sender,
            "layer": piece.layer,
            "payload_type": f"{piece.payload_type:04x}" if is_numbered else piece.text,
            "hex": piece.data.hex(),
            "protocol": told.protocol,
            "message": told.name,
            "content": told.content or plain(told),
            "notes": [*told.tolerances, *told.notes],
            "error": told.error,
        }
        if piece.at_s is None and piece.where:
            record["where"] = piece.where
        yield json.dumps(record)


class Message(Form):
    """The bare message."""

    def lines(self, told: Told) -> Iterator[str]:
        indent = 2 if sys.stdout.isatty() else None
        yield json.dumps(told.content or plain(told), indent=indent)
        if told.tolerances:
            complain(
                told.piece.where,
                f"note: needed tolerance: {', '.join(told.tolerances)}",
            )


FORMS: Mapping[str, type[Form]] = {
    "line": Line,
    "tree": Tree,
    "json": Json,
    "message": Message,
}


def _direction(told: Told) -> str:
    """Return who speaks to whom; of a modem's own host only who it is."""
    sender = told.piece.sender
    is_local = isinstance(told.value, Frame) and type(told.value.mme) in LOCAL
    if is_local and sender is not None:
        return f"{sender.upper():<{_ARROW_WIDTH}}"
    return _ARROWS[sender]


def _line_words(told: Told) -> list[Word]:
    if told.error:
        return [Word(told.error, Tone.ALARM)]
    return words(told)
