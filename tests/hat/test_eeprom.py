"""The ID EEPROM: octets laid out by hand, damage found, nothing lost on the way."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.board.eeprom import (
    atoms_of,
    build,
    crc16,
    identity_of,
    parse,
    text_of,
)
from pilothat.board.revision import revision
from pilothat.errors import ConfigError

BOARD = revision("rev_a").board
IMAGE = build(identity_of(BOARD, b'{"cal":1}'))


def test_checksum_is_crc_16_arc() -> None:
    assert crc16(b"123456789") == 0xBB3D


def test_octets_stand_where_the_format_wants_them() -> None:
    assert IMAGE[:8] == b"R-Pi\x02\x00" + struct.pack("<H", 4)
    assert struct.unpack_from("<I", IMAGE, 8) == (len(IMAGE),)
    # vendor: type 1, number 0, 22 octets before the names, 8 + 14 of names, 2 of CRC
    assert struct.unpack_from("<HHI", IMAGE, 12) == (1, 0, 22 + 8 + 14 + 2)
    assert IMAGE[20:36] == bytes.fromhex("7b0f5e2c3a414c5e9d5850494c4f5401")[::-1]
    assert IMAGE[36:42] == b"\x01\x00\x01\x00\x08\x0e"
    assert IMAGE[42:64] == b"PilotHATPilotHAT rev A"
    assert struct.unpack_from("<H", IMAGE, 64) == (crc16(IMAGE[12:64]),)
    # overlay: type 3, by its name
    assert IMAGE[66:84] == struct.pack("<HHI", 3, 1, 10) + b"evse-hat" + struct.pack(
        "<H", crc16(IMAGE[66:82])
    )
    # supply: type 6, 3000 mA
    assert IMAGE[84:96] == struct.pack("<HHII", 6, 2, 6, 3000)


def test_what_was_written_is_read() -> None:
    assert parse(IMAGE) == identity_of(BOARD, b'{"cal":1}')
    assert parse(build(identity_of(BOARD))).custom == b""


@pytest.mark.parametrize("at", range(len(IMAGE)))
def test_every_damaged_octet_is_found(at: int) -> None:
    damaged = bytearray(IMAGE)
    damaged[at] ^= 0x40
    try:
        assert atoms_of(bytes(damaged)) == atoms_of(IMAGE)
        assert at == 5  # the one octet that means nothing
    except ConfigError:
        pass


@pytest.mark.parametrize("length", range(len(IMAGE)))
def test_every_image_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(ConfigError):
        parse(IMAGE[:length])


@given(st.binary(max_size=200))
def test_any_octets_are_refused_in_words(octets: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(octets)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="4096"):
        build(identity_of(BOARD, bytes(5000)))


def test_text_for_the_makers_tool_says_the_same() -> None:
    text = text_of(identity_of(BOARD))
    assert 'dt_blob "evse-hat"' in text
    assert "product_uuid 7b0f5e2c-3a41-4c5e-9d58-50494c4f5401" in text
    assert "current_supply 3000" in text
