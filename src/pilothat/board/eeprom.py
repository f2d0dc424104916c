"""The ID EEPROM of a HAT: its image (HAT+ format), written and read.

A header and atoms, little endian, each with its CRC. The board says who it is, which
overlay the firmware shall load, what current it gives to the Pi, and its serial number.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from uuid import UUID

from pilothat.board.revision import Board
from pilothat.errors import ConfigError
from pilothat.frozen import dataclass

SIGNATURE = b"R-Pi"
HAT_PLUS = 2
_HEADER = struct.Struct("<4sBBHI")
_ATOM = struct.Struct("<HHI")
_CRC = struct.Struct("<H")
_VENDOR = struct.Struct("<16sHHBB")
_POLYNOMIAL = 0xA001  # CRC-16/ARC: 0x8005, reflected
MOST_BYTES = 4096  # of a 24C32


class Kind(IntEnum):
    """What an atom holds."""

    VENDOR = 1
    GPIO_MAP = 2  # HAT only, not HAT+
    DEVICE_TREE = 3
    CUSTOM = 4
    GPIO_BANK_1 = 5
    SUPPLY = 6


@dataclass(frozen=True, slots=True)
class Atom:
    """One piece of an image."""

    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What an image says.

    supplies_pi_ma: into the 5 V pins of the Pi. custom: the board's serial number, as
        it was given; empty before
    """

    vendor: str
    product: str
    uuid: UUID
    product_id: int
    product_ver: int
    overlay: str
    supplies_pi_ma: int
    custom: bytes = b""


def identity_of(board: Board, custom: bytes = b"") -> Identity:
    """Return what the EEPROM of a revision's boards says."""
    return Identity(
        board.vendor,
        board.product,
        UUID(board.uuid),
        board.product_id,
        board.product_ver,
        board.overlay,
        board.supplies_pi_ma,
        custom,
    )


def build(identity: Identity) -> bytes:
    """Return the image. Raises ConfigError for one that does not fit."""
    vendor, product = identity.vendor.encode(), identity.product.encode()
    head = _VENDOR.pack(
        identity.uuid.bytes[::-1],  # the number, little endian
        identity.product_id,
        identity.product_ver,
        len(vendor),
        len(product),
    )
    atoms = [
        Atom(Kind.VENDOR, head + vendor + product),
        Atom(Kind.DEVICE_TREE, identity.overlay.encode()),
        Atom(Kind.SUPPLY, struct.pack("<I", identity.supplies_pi_ma)),
    ]
    if identity.custom:
        atoms.append(Atom(Kind.CUSTOM, identity.custom))
    image = _image(atoms)
    if len(image) > MOST_BYTES:
        raise ConfigError(f"{len(image)} of {MOST_BYTES} octets", where="EEPROM image")
    return image


def parse(image: bytes) -> Identity:
    """Read an image. Raises ConfigError for one that is damaged or not ours to read."""
    atoms = {atom.kind: atom.data for atom in atoms_of(image)}
    missing = {Kind.VENDOR, Kind.DEVICE_TREE} - set(atoms)
    if missing:
        raise ConfigError(f"no {min(missing).name} in it", where="EEPROM image")
    told = atoms[Kind.VENDOR]
    if len(told) < _VENDOR.size:
        raise ConfigError("the vendor atom is too short", where="EEPROM image")
    number, product_id, product_ver, vendor_len, product_len = _VENDOR.unpack_from(told)
    names = told[_VENDOR.size :].decode("ascii", "replace")
    supplies = atoms.get(Kind.SUPPLY, bytes(4))
    return Identity(
        names[:vendor_len],
        names[vendor_len : vendor_len + product_len],
        UUID(bytes=number[::-1]),
        product_id,
        product_ver,
        atoms[Kind.DEVICE_TREE].decode("ascii", "replace"),
        int.from_bytes(supplies[:4], "little"),
        atoms.get(Kind.CUSTOM, b""),
    )


def atoms_of(image: bytes) -> Sequence[Atom]:
    """Take an image apart. Raises ConfigError with the atom that is damaged."""
    if len(image) < _HEADER.size:
        raise ConfigError("too short", where="EEPROM image")
    signature, version, _, count, length = _HEADER.unpack_from(image)
    if signature != SIGNATURE or version != HAT_PLUS or length > len(image):
        raise ConfigError("no HAT+ header", where="EEPROM image")
    atoms, at = [], _HEADER.size
    for index in range(count):
        where = f"EEPROM image, atom {index}"
        if at + _ATOM.size > length:
            raise ConfigError("cut off", where=where)
        kind, number, size = _ATOM.unpack_from(image, at)
        end = at + _ATOM.size + size
        if number != index or size < _CRC.size or end > length:
            raise ConfigError("damaged", where=where)
        body = image[at : end - _CRC.size]
        if _CRC.unpack_from(image, end - _CRC.size)[0] != crc16(body):
            raise ConfigError("its checksum is wrong", where=where)
        atoms.append(Atom(kind, body[_ATOM.size :]))
        at = end
    return atoms


def text_of(identity: Identity) -> str:
    """Return the settings text that the tool of the Pi's makers takes."""
    return f"""# made by scripts/hat from the table of the board; do not edit
product_uuid {identity.uuid}
product_id 0x{identity.product_id:04x}
product_ver 0x{identity.product_ver:04x}
vendor "{identity.vendor}"
product "{identity.product}"
current_supply {identity.supplies_pi_ma}
dt_blob "{identity.overlay}"
"""


def crc16(data: bytes) -> int:
    """Return the CRC-16/ARC of octets."""
    crc = 0
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


def _image(atoms: Sequence[Atom]) -> bytes:
    packed = b""
    for index, atom in enumerate(atoms):
        size = len(atom.data) + _CRC.size
        body = _ATOM.pack(atom.kind, index, size) + atom.data
        packed += body + _CRC.pack(crc16(body))
    length = _HEADER.size + len(packed)
    return _HEADER.pack(SIGNATURE, HAT_PLUS, 0, len(atoms), length) + packed
