"""Declarations: what compiles, and what is our own bug."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated

import pytest

from pilothat.homeplug.cm import StationRate
from pilothat.homeplug.field import (
    CountedBytes,
    CountedRecords,
    Layout,
    Mme,
    Nibbles,
    u8,
    u16,
    u32,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gapped(Mme):
    late: Annotated[int, u32(24)]  # declared out of order
    early: Annotated[int, u16(20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlapping(Mme):
    one: Annotated[int, u16(20)]
    two: Annotated[int, u8(21)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BehindTail(Mme):
    groups: Annotated[tuple[int, ...], CountedBytes(20, gap=0)]
    more: Annotated[int, u8(30)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeless(Mme):
    value: int


class Plain(Mme):
    pass


def test_gaps_are_filled_with_zeros_whatever_the_order_of_declaration() -> None:
    layout = Layout(Gapped, 19)
    written = layout.write(Gapped(late=0x04030201, early=0x0605))
    assert written == bytes.fromhex("00 0506 0000 01020304")
    assert layout.read(bytes(19) + written) == Gapped(late=0x04030201, early=0x0605)


@pytest.mark.parametrize("kind", [Overlapping, BehindTail, Placeless, Plain])
def test_a_wrong_declaration_is_refused_at_once(kind: type[Mme]) -> None:
    with pytest.raises(TypeError, match=kind.__name__):
        Layout(kind, 19)


@pytest.mark.parametrize(
    "tail",
    [
        CountedBytes(20, gap=0),
        Nibbles(20),
        CountedRecords(20, struct.Struct("B"), StationRate),
    ],
    ids=["bytes", "nibbles", "records"],
)
def test_a_value_of_the_wrong_type_is_never_written(
    tail: CountedBytes | Nibbles | CountedRecords,
) -> None:
    with pytest.raises(TypeError, match="9"):
        tail.write(9)
