"""What was said, in the words of ``pilothat decode``: the fields that matter."""

from __future__ import annotations

from pilothat.homeplug import cm
from pilothat.traffic import slac
from pilothat.traffic.ear import Told, wire_name
from pilothat.traffic.piece import Piece
from pilothat.traffic.words import words
from pilothat.twin.recordedkinds import as_json, whole
from pilothat.twin.recordedmarks import Said
from pilothat.twin.recordedspeech import CODECS
from pilothat.v2g import sdp


def words_of(said: Said) -> tuple[str, str]:
    """Return the name of what was said, as on the wire, and its fields."""
    message, name = said.message, said.name
    if isinstance(message, cm.MESSAGES):
        return wire_name(name), "  ".join(slac.facts(message))
    told = Told(piece=Piece())
    if isinstance(message, sdp.SdpRequest | sdp.SdpResponse):
        told = Told(piece=Piece(), value=message)
    elif type(message) in CODECS:
        name = next(iter(as_json(message)), name)
        told = Told(piece=Piece(), name=name, content=whole(message))
    return name, "  ".join(word.text for word in words(told))
