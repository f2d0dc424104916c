"""Our messages as scapy sees them, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from scapy.fields import PacketListField
from scapy.packet import Packet

from pilothat.homeplug.field import Mme
from pilothat.traffic.pcapng import ETHERNET
from pilothat.traffic.scapylayers import LAYERS, MESSAGES, MmeLayer, dissected

KINDS = {kind.__name__: kind for kind in MESSAGES}
RENAMED = {"build": "build_"}  # scapy's packets have a method of that name


def names_of(kind: type[Mme]) -> list[str]:
    assert is_dataclass(kind)
    return [one.name for one in fields(kind)]


def layered(raw: bytes) -> Packet:
    """Return the layers of an Ethernet frame."""
    return dissected(ETHERNET, raw)


def mme_of(packet: Packet) -> Mme | None:
    """Return the message that scapy found in a frame; None if it found none."""
    body = packet.getlayer(MmeLayer, _subclass=True)
    if body is None:
        return None
    kind = KINDS[type(body).__name__]
    names = names_of(kind)
    values = {one: plain(body.getfieldval(RENAMED.get(one, one))) for one in names}
    made: Mme = kind(**values)
    return made


def plain(value: object) -> object:
    match value:
        case list():
            return tuple(plain(one) for one in value)
        case Packet():
            columns = [one.name for one in value.fields_desc]
            shown = [one for one in columns if not one.startswith("reserved_")]
            return tuple(value.getfieldval(one) for one in shown)
    return value


def layer_of(mme: Mme) -> Packet:
    """Return a layer built by scapy from the values of a message."""
    values = {RENAMED.get(one, one): getattr(mme, one) for one in names_of(type(mme))}
    for name in values.keys() & {"stations", "networks", "hosts"}:
        field = LAYERS[type(mme).__name__]().get_field(name)
        if not isinstance(field, PacketListField):
            continue  # a number of networks
        assert isinstance(field.cls, type)
        values[name] = [field.cls(**one._asdict()) for one in values[name]]
    return LAYERS[type(mme).__name__](**values)


def rebuilt(packet: Packet) -> bytes:
    """Return what scapy builds from the values alone."""
    packet.clear_cache()
    return bytes(packet)
