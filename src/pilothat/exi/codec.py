"""The EXI codec of one schema set: messages to octets and back.

EXI 1.0 as V2G uses it: bit-packed, not strict, nothing preserved, no options sent.
What others write and we only read (``Tolerance``) is noted, all else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pilothat.errors import PeerError
from pilothat.exi.bits import BitReader, FlawError, Tolerance, UnfitError
from pilothat.exi.decoder import decoder
from pilothat.exi.encoder import encoder
from pilothat.exi.neutral import Json, dump, load
from pilothat.exi.schema import Grammar, Group, Root, Wrap, describe, is_declared
from pilothat.exi.values import Put, Read

HEADER = 0x80  # distinguishing bits 10, no options, version 1
MOST_BYTES = 16 * 1024  # our choice: the largest legal DIN message is about 15 kB

__all__ = ["Codec", "ExiError", "Json", "Tolerance"]


class ExiError(PeerError):
    """The octets are no message of this grammar.

    path: the element in which reading ended, from the root; empty before the root
    bit: how many bits had been read
    reason: what was wrong there
    """

    def __init__(self, reason: str, *, path: str, bit: int) -> None:
        super().__init__(f"{reason} (bit {bit})", where=path or "EXI")
        self.reason, self.path, self.bit = reason, path, bit


class TypeCodec:
    """Reads and writes the content of one declared class, prepared when first used."""

    __slots__ = ("_cls", "_codecs", "decode", "encode", "is_ready")

    def __init__(self, cls: type, codecs: Callable[[type], TypeCodec]) -> None:
        self._cls, self._codecs = cls, codecs
        self.is_ready = False
        self.decode: Read = self._first_decode
        self.encode: Put = self._first_encode

    def prepare(self) -> None:
        """Make both functions."""
        if not self.is_ready:
            self.decode = decoder(self._cls, self._codecs)
            self.encode = encoder(self._cls, self._codecs)
            self.is_ready = True

    def _first_decode(self, source: BitReader) -> object:
        self.prepare()
        return self.decode(source)

    def _first_encode(self, stream: int, value: object) -> int:
        self.prepare()
        return self.encode(stream, value)


class Codec:
    """Encodes and decodes the messages of one grammar."""

    def __init__(self, grammar: Grammar, *, most_bytes: int = MOST_BYTES) -> None:
        self.grammar = grammar
        self._most_bytes = most_bytes
        self._width = grammar.global_elements.bit_length()
        self._by_code = {root.code: root for root in grammar.roots}
        self._by_class = {root.cls: root for root in grammar.roots}
        self._types: dict[type, TypeCodec] = {}

    def prepare(self) -> None:
        """Prepare all types now, not each when it is first used."""
        waiting = [root.cls for root in self.grammar.roots]
        done: dict[type, None] = {}
        while waiting:
            cls = waiting.pop()
            if cls not in done:
                done[cls] = None
                self._type(cls).prepare()
                waiting += _parts(cls)

    def encode(self, root: object) -> bytes:
        """Return the octets of a message.

        Raises ValueError, with the path of the element, for a value that does not fit.
        """
        found = self._root_of(root)
        stream = HEADER << self._width | found.code
        try:
            stream = self._type(found.cls).encode(stream, root)
        except UnfitError as unfit:
            raise ValueError(_told(found.name, unfit)) from None
        bits = stream.bit_length()  # the header's first bit is 1
        fill = -bits % 8
        return (stream << fill).to_bytes((bits + fill) // 8, "big")

    def decode(self, data: bytes) -> object:
        """Return the message; raises ExiError, and nothing else, if there is none."""
        return self.decode_with_notes(data)[0]

    def decode_with_notes(self, data: bytes) -> tuple[object, tuple[Tolerance, ...]]:
        """Return the message, and the tolerances it needed."""
        if len(data) > self._most_bytes:
            reason = f"{len(data)} octets, at most {self._most_bytes} allowed"
            raise ExiError(reason, path="", bit=0)
        source = BitReader(data)
        try:
            root = self._read(source)
        except FlawError as flaw:
            raise ExiError(flaw.reason, path=flaw.path(), bit=source.bit) from None
        _note_rest(source)
        return root, tuple(source.notes)

    def to_json(self, root: object) -> dict[str, Json]:
        """Return the neutral JSON of a message: one key, the root element."""
        return {self._root_of(root).name: dump(root)}

    def from_json(self, found: Mapping[str, object]) -> object:
        """Return the message of neutral JSON; raises ValueError if it is none."""
        for root in self.grammar.roots:
            if list(found) == [root.name]:
                try:
                    return load(root.cls, found[root.name])
                except UnfitError as unfit:
                    raise ValueError(_told(root.name, unfit)) from None
        raise ValueError(f"{', '.join(found)}: no message of {self.grammar.name}")

    def _root_of(self, message: object) -> Root:
        root = self._by_class.get(type(message))
        if root is None:
            name = type(message).__name__
            raise ValueError(f"{name}: no message of {self.grammar.name}")
        return root

    def _read(self, source: BitReader) -> object:
        header = source.take(8)
        if header != HEADER:
            raise FlawError(f"header {header:#04x} instead of {HEADER:#04x}")
        code = source.take(self._width)
        root = self._by_code.get(code)
        if root is None:
            raise FlawError(f"global element {code} is no message")
        try:
            return self._type(root.cls).decode(source)
        except FlawError as flaw:
            flaw.names.append(root.name)
            raise

    def _type(self, cls: type) -> TypeCodec:
        known = self._types.get(cls)
        if known is None:
            known = self._types[cls] = TypeCodec(cls, self._type)
        return known


def _note_rest(source: BitReader) -> None:
    """Note what stands behind the end of the document."""
    if source.take(source.remaining % 8):
        source.notes.append(Tolerance.NON_ZERO_FILL)
    if source.remaining:
        source.notes.append(Tolerance.TRAILING_OCTETS)


def _parts(cls: type) -> list[type]:
    """Return the declared classes a class contains."""
    found: list[type] = []
    for f in describe(cls):
        if isinstance(f.mark, Group):
            found += f.mark.members.values()
        elif isinstance(f.mark, Wrap):
            found += f.mark.group.members.values()
        elif is_declared(f.kind):
            found.append(f.kind)
    return found


def _told(root: str, unfit: UnfitError) -> str:
    """Return where a value did not fit, and why."""
    return f"{unfit.path(root)}: {unfit.reason}"
