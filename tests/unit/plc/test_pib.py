"""The parameter block: checksums, the role, what is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.plc.pib import (
    CCO,
    HEADER_BYTES,
    LENGTHS,
    LINK_SPEEDS,
    SLAC,
    SPEEDS,
    TYPE_PIB,
    USER,
    Pib,
    PibError,
    Role,
    body_start,
    checksum,
    made,
    role_of,
)
from pilothat.twin.modem import new_pib

MAC = bytes.fromhex("00b052a0a001")
CHIPS = sorted(LENGTHS)
BODY_AT = 0x3C0  # in every image that was read from a real modem


def block(role: Role = Role.PEV, chip: str = "QCA7000") -> Pib:
    return Pib(new_pib(chip, MAC, role))


def test_the_checksum_is_the_complement_of_the_xor_of_all_words() -> None:
    assert checksum(b"") == 0xFFFFFFFF
    assert checksum(struct.pack("<3I", 1, 2, 0x80000000)) == 0x7FFFFFFC


def test_a_new_block_lies_where_real_ones_do() -> None:
    image = block().image
    assert len(image) == 9040
    assert len(block(chip="QCA7420").image) == 9796
    assert body_start(image[:1400]) == BODY_AT
    assert image[BODY_AT + 0x0C : BODY_AT + 0x12] == MAC


@pytest.mark.parametrize("chip", CHIPS)
def test_a_changed_role_changes_its_fields_and_no_other(chip: str) -> None:
    before = block(Role.PEV, chip)
    after = before.with_role(Role.EVSE, chip)
    assert (before.role, after.role, after.user) == (Role.PEV, Role.EVSE, "EVSE")
    assert [change.field for change in before.changes(after)] == [USER, CCO, SLAC]
    touched = {
        BODY_AT + field.offset + place
        for field in (USER, CCO, SLAC, SPEEDS)
        for place in range(field.length)
    }
    sums = {0x360 + place for place in (*range(20, 24), *range(92, 96))}
    differing = {
        place
        for place, (a, b) in enumerate(zip(before.image, after.image, strict=True))
        if a != b
    }
    assert differing <= touched | sums
    assert after.with_role(Role.PEV, chip).image == before.image


def test_link_speeds_are_put_right() -> None:
    body = bytearray(LENGTHS["QCA7000"])
    pib = Pib(made({TYPE_PIB: bytes(body)}))
    assert pib.with_role(Role.EVSE, "QCA7000").get(SPEEDS) == LINK_SPEEDS


@given(st.integers(0, 9039), st.integers(1, 255))
def test_every_damaged_byte_is_noticed(place: int, flipped: int) -> None:
    image = bytearray(block().image)
    image[place] ^= flipped
    with pytest.raises(PibError):
        Pib(bytes(image))


@pytest.mark.parametrize("length", [0, 95, 96, 0x360, BODY_AT, 9039])
def test_a_truncated_image_is_refused(length: int) -> None:
    with pytest.raises(PibError):
        Pib(block().image[:length])


@given(st.binary(max_size=400))
def test_garbage_is_refused(image: bytes) -> None:
    with pytest.raises(PibError):
        Pib(image)


def test_a_chain_that_bites_its_tail_is_refused() -> None:
    image = bytearray(made({0x0E: bytes(8)}))
    struct.pack_into("<I", image, 28, 0)
    with pytest.raises(PibError):
        Pib(bytes(image))
    assert body_start(bytes(image)) is None


@pytest.mark.parametrize("chip", ["", "INT6400", "QCA7500", "QCA7420"])
def test_the_block_of_another_chip_is_not_changed(chip: str) -> None:
    with pytest.raises(PibError, match="nothing was written"):
        block(chip="QCA7000").with_role(Role.EVSE, chip)


@pytest.mark.parametrize(
    ("cco", "slac", "role"),
    [(2, 2, Role.EVSE), (1, 1, Role.PEV), (0, 0, None), (2, 1, None), (1, 2, None)],
)
def test_both_bytes_make_the_role(cco: int, slac: int, role: Role | None) -> None:
    assert role_of(cco, slac) is role


def test_a_header_is_24_words() -> None:
    assert HEADER_BYTES == 24 * 4
