"""The quick way through a grammar: functions generated from its declarations.

It takes what is plain and not too long, which is nearly everything; for the rest it
returns None, and the precise way has the last word. So there is one place that knows
what is wrong, and speed has no say in it.
"""

from __future__ import annotations

from pilothat.exi import reading, writing
from pilothat.exi.bits import BitReader
from pilothat.exi.schema import Grammar
from pilothat.exi.source import Names
from pilothat.exi.values import Read

_NOT_PLAIN = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


class Quick:
    """Generated readers and writers of one grammar's messages."""

    def __init__(self, grammar: Grammar, header: int) -> None:
        self.reads = Names(reading.source_of, reading.KNOWN)
        self.writes = Names(writing.source_of, writing.KNOWN)
        self._header = header
        self._width = grammar.global_elements.bit_length()
        self._by_code = {root.code: root.cls for root in grammar.roots}
        self._codes = {root.cls: root.code for root in grammar.roots}

    def prepare(self, cls: type) -> None:
        """Make both functions of a class now, not when they are first called."""
        self.reads.make(cls)
        self.writes.make(cls)

    def encode(self, message: object) -> bytes | None:
        """Return the octets of a message; None if it is not plain."""
        cls = message.__class__
        try:
            start = self._header << self._width | self._codes[cls]
            stream = self.writes.all[self.writes.function(cls)](start, message)
        except _NOT_PLAIN:
            return None
        bits = stream.bit_length()  # the header's first bit is 1
        fill = -bits % 8
        octets: bytes = (stream << fill).to_bytes((bits + fill) // 8, "big")
        return octets

    def decode(self, data: bytes) -> object | None:
        """Return the message of plain octets that end with it; else None."""
        if len(data) > reading.MOST_BYTES:
            return None
        value, left = int.from_bytes(data, "big"), len(data) * 8 - 8 - self._width
        try:
            start = value >> left
            cls = self._by_code[start & (1 << self._width) - 1]
            if start >> self._width != self._header:
                return None
            read = self.reads.all[self.reads.function(cls)]
            message, left = read(value, left)
        except _NOT_PLAIN:
            return None
        if left > 7 or value & (1 << left) - 1:
            return None
        made: object = message
        return made

    def entry(self, cls: type, precise: Read) -> Read:
        """Return what reads an entry of a list: quickly, else by ``precise``.

        A long message is a long list. Not for types with strings: those are to be
        remembered.
        """
        functions, name = self.reads.all, self.reads.function(cls)

        def read(source: BitReader) -> object:
            try:
                value, source.left = functions[name](source.value, source.left)
            except _NOT_PLAIN:
                return precise(source)
            made: object = value
            return made

        return read
