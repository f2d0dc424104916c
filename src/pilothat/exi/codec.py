"""The EXI codec of one schema set: messages to octets and back.

EXI 1.0 as V2G uses it: bit-packed, not strict, nothing preserved, no options sent.
What others write and we only read (``Tolerance``) is noted, all else is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from pilothat.errors import PeerError
from pilothat.exi.bits import BitReader, FlawError, Limits, Tolerance, UnfitError
from pilothat.exi.decoder import decoder
from pilothat.exi.encoder import encoder
from pilothat.exi.grammar import State, relaxed_start
from pilothat.exi.neutral import Json, dump, load
from pilothat.exi.quick import Quick
from pilothat.exi.schema import Grammar, Group, Root, Text, Wrap, describe, is_declared
from pilothat.exi.values import Put, Read

HEADER = 0x80  # distinguishing bits 10, no options, version 1

__all__ = ["Codec", "ExiError", "Json", "Limits", "Tolerance"]


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

    __slots__ = ("_begin", "_cls", "_codec", "decode", "encode", "entry", "is_ready")

    def __init__(self, cls: type, codec: Codec, begin: State | None = None) -> None:
        self._cls, self._codec, self._begin = cls, codec, begin
        self.is_ready = False
        self.decode: Read = self._first_decode
        self.encode: Put = self._first_encode
        self.entry: Read = self._first_entry  # as decode; the quick way where it may

    def prepare(self) -> None:
        """Make the functions."""
        if not self.is_ready:
            types, quick = self._codec.codec_of, self._codec.quick
            self.decode = self.entry = decoder(self._cls, types, self._begin)
            self.encode = encoder(self._cls, types, self._begin)
            if quick and not holds_text(self._cls):
                self.entry = quick.entry(self._cls, self.decode)
            self.is_ready = True

    def _first_decode(self, source: BitReader) -> object:
        self.prepare()
        return self.decode(source)

    def _first_entry(self, source: BitReader) -> object:
        self.prepare()
        return self.entry(source)

    def _first_encode(self, stream: int, value: object) -> int:
        self.prepare()
        return self.encode(stream, value)


class Codec:
    """Encodes and decodes the messages of one grammar."""

    def __init__(
        self,
        grammar: Grammar,
        *,
        limits: Limits | None = None,
        is_precise: bool = False,
    ) -> None:
        """Make the codec of a grammar.

        limits: what is read at most
        is_precise: never take the quick way (to compare the two)
        """
        self.grammar = grammar
        self._limits = limits or Limits()
        self._documents = _Start(grammar.global_elements.bit_length(), grammar.roots)
        names = grammar.element_names
        self._fragments = _Start((names + 1).bit_length(), grammar.fragments)
        self._fragment_end = names + 1
        is_quick = limits is None and not is_precise  # it knows no other limits
        self.quick = Quick(grammar, HEADER) if is_quick else None
        self._types: dict[type, TypeCodec] = {}
        self._relaxed: dict[Root, TypeCodec] = {}

    def prepare(self) -> None:
        """Prepare all types now, not each when it is first used."""
        for _ in self.preparing():
            pass

    def preparing(self) -> Iterator[None]:
        """Prepare all types in steps of a few milliseconds: one with each ``next``."""
        roots = self.grammar.roots + self.grammar.fragments
        for root in roots:
            self._content(root).prepare()
        waiting = [root.cls for root in roots]
        done: dict[type, None] = {}
        while waiting:
            cls = waiting.pop()
            if cls not in done:
                done[cls] = None
                self.codec_of(cls).prepare()
                if self.quick:
                    self.quick.prepare(cls)
                yield
                waiting += parts(cls)

    def encode(self, root: object) -> bytes:
        """Return the octets of a message.

        Raises ValueError, with the path of the element, for a value that does not fit.
        """
        octets = self.quick and self.quick.encode(root)
        if octets:
            return octets
        found = self._documents.root_of(root, self.grammar.name)
        return _filled(self._put(found, self._documents.width, root))

    def encode_fragment(self, value: object, name: str = "") -> bytes:
        """Return the octets of one element as a signature covers them.

        name: of the element, where several have the same type. Raises like ``encode``.
        """
        found = self._fragments.root_of(value, self.grammar.name, name)
        width = self._fragments.width
        stream = self._put(found, width, value) << width | self._fragment_end
        return _filled(stream)

    def decode(self, data: bytes) -> object:
        """Return the message; raises ExiError, and nothing else, if there is none."""
        return self.decode_with_notes(data)[0]

    def decode_with_notes(self, data: bytes) -> tuple[object, tuple[Tolerance, ...]]:
        """Return the message, and the tolerances it needed."""
        if self.quick:
            message = self.quick.decode(data)
            if message is not None:
                return message, ()
        return self._decode(data, self._read)

    def decode_fragment(self, data: bytes) -> object:
        """Return the element of a fragment; raises ExiError, and nothing else."""
        return self.decode_fragment_with_notes(data)[0]

    def decode_fragment_with_notes(
        self, data: bytes
    ) -> tuple[object, tuple[Tolerance, ...]]:
        """Return the element of a fragment, and the tolerances it needed."""
        try:
            return self._decode(data, self._read_fragment)
        except ExiError as error:
            if not self._relaxed:
                raise
            try:
                return self._decode(data, self._read_typed_fragment)
            except ExiError:
                raise error from None

    def to_json(self, root: object, name: str = "") -> dict[str, Json]:
        """Return the neutral JSON of a message or fragment: one key, the element."""
        starts = self._documents if not name else self._fragments
        if type(root) not in starts.by_class:
            starts = self._fragments
        return {starts.root_of(root, self.grammar.name, name).name: dump(root)}

    def from_json(self, found: Mapping[str, object]) -> object:
        """Return the message of neutral JSON; raises ValueError if it is none."""
        for root in self.grammar.roots + self.grammar.fragments:
            if list(found) == [root.name]:
                try:
                    return load(root.cls, found[root.name])
                except UnfitError as unfit:
                    raise ValueError(_told(root.name, unfit)) from None
        raise ValueError(f"{', '.join(found)}: no message of {self.grammar.name}")

    def _put(self, root: Root, width: int, value: object) -> int:
        try:
            stream = HEADER << width | root.code
            return self._content(root).encode(stream, value)
        except UnfitError as unfit:
            raise ValueError(_told(root.name, unfit)) from None

    def _decode(self, data: bytes, read: Read) -> tuple[object, tuple[Tolerance, ...]]:
        if len(data) > self._limits.octets:
            reason = f"{len(data)} octets, at most {self._limits.octets} allowed"
            raise ExiError(reason, path="", bit=0)
        source = BitReader(data, self._limits)
        try:
            root = read(source)
        except FlawError as flaw:
            raise ExiError(flaw.reason, path=flaw.path(), bit=source.bit) from None
        _note_rest(source)
        return root, tuple(source.notes)

    def _read(self, source: BitReader) -> object:
        root = self._documents.read(source)
        return _read_content(source, root, self.codec_of(root.cls))

    def _read_fragment(self, source: BitReader) -> object:
        root = self._fragments.read(source)
        value = _read_content(source, root, self._content(root))
        self._read_end(source)
        return value

    def _read_typed_fragment(self, source: BitReader) -> object:
        """Read a fragment with relaxed content as others write it: without."""
        root = self._fragments.read(source)
        value = _read_content(source, root, self.codec_of(root.cls))
        self._read_end(source)
        source.notes.append(Tolerance.TYPED_FRAGMENT)
        return value

    def _read_end(self, source: BitReader) -> None:
        if source.take(self._fragments.width) != self._fragment_end:
            raise FlawError("the fragment does not end here")

    def _content(self, root: Root) -> TypeCodec:
        """Return what reads and writes the content of a root."""
        if root.relaxed is None:
            return self.codec_of(root.cls)
        known = self._relaxed.get(root)
        if known is None:
            names = self.grammar.element_names
            begin = relaxed_start(root.cls, root.relaxed, names)
            known = self._relaxed[root] = TypeCodec(root.cls, self, begin)
        return known

    def codec_of(self, cls: type) -> TypeCodec:
        """Return what reads and writes a declared class of this grammar."""
        known = self._types.get(cls)
        if known is None:
            known = self._types[cls] = TypeCodec(cls, self)
        return known


class _Start:
    """What a document or a fragment may begin with."""

    def __init__(self, width: int, roots: tuple[Root, ...]) -> None:
        self.width = width
        self.by_code = {root.code: root for root in roots}
        self.by_class: dict[type, list[Root]] = {}
        for root in roots:
            self.by_class.setdefault(root.cls, []).append(root)

    def root_of(self, value: object, grammar: str, name: str = "") -> Root:
        """Return the element a value is; raises ValueError if there is none."""
        cls = type(value)
        known = self.by_class.get(cls, [])
        found = [root for root in known if not name or root.name == name]
        if not found:
            told = f"{cls.__name__} {name}".rstrip()
            raise ValueError(f"{told}: no message of {grammar}")
        if len(found) > 1:
            names = ", ".join(root.name for root in found)
            raise ValueError(f"{cls.__name__}: say which of {names} it is")
        return found[0]

    def read(self, source: BitReader) -> Root:
        """Read the header and the first event code."""
        header = source.take(8)
        if header != HEADER:
            raise FlawError(f"header {header:#04x} instead of {HEADER:#04x}")
        code = source.take(self.width)
        root = self.by_code.get(code)
        if root is None:
            raise FlawError(f"element {code} is no message")
        return root


def _read_content(source: BitReader, root: Root, content: TypeCodec) -> object:
    try:
        return content.decode(source)
    except FlawError as flaw:
        flaw.names.append(root.name)
        raise


def _filled(stream: int) -> bytes:
    """Return the octets of a stream that begins with the header."""
    bits = stream.bit_length()  # the header's first bit is 1
    fill = -bits % 8
    return (stream << fill).to_bytes((bits + fill) // 8, "big")


def _note_rest(source: BitReader) -> None:
    """Note what stands behind the end of the document."""
    if source.take(source.remaining % 8):
        source.notes.append(Tolerance.NON_ZERO_FILL)
    if source.remaining:
        source.notes.append(Tolerance.TRAILING_OCTETS)


def parts(cls: type) -> list[type]:
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


@cache
def holds_text(cls: type) -> bool:
    """Tell whether a class has a string, which others may refer to, anywhere in it."""
    return any(isinstance(f.kind, Text) for f in describe(cls)) or any(
        holds_text(part) for part in parts(cls)
    )


def _told(root: str, unfit: UnfitError) -> str:
    """Return where a value did not fit, and why."""
    return f"{unfit.path(root)}: {unfit.reason}"
