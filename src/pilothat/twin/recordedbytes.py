"""The bytes of a recorded request, changed where a new session must differ."""

from __future__ import annotations

from dataclasses import replace

from pilothat.twin.recordedspeech import CODECS, V2gMessage
from pilothat.v2g.messages import codec, din, iso2


def with_session_id(
    raw: bytes, message: V2gMessage, session_id: bytes
) -> tuple[bytes, str]:
    """Return the bytes of a message with another session ID, and what else changed.

    Where the recorded bytes are not what our encoder writes, only the bits of the ID
    are exchanged: those in which messages with ID 00.. and ff.. differ.
    """
    exi = codec(CODECS[type(message)])

    def written(new: bytes) -> bytes:
        return exi.encode(_renamed(message, new))

    was = message.header.session_id
    ours = written(session_id)
    if written(was) == raw:
        return ours, ""
    if len(was) != len(session_id):
        return ours, "encoded anew: its session ID has another length"
    low, high = written(bytes(len(was))), written(b"\xff" * len(was))
    mask = bytes(a ^ b for a, b in zip(low, high, strict=True))
    size = min(len(raw), len(mask))
    patched = bytes(
        (old & ~bits & 0xFF) | (new & bits)
        for old, new, bits in zip(raw[:size], ours[:size], mask[:size], strict=True)
    )
    return patched + raw[size:], "only the bits of its session ID were exchanged"


def _renamed(message: V2gMessage, session_id: bytes) -> V2gMessage:
    """Return a message of another session."""
    match message:
        case din.V2gMessage(header=header):
            return replace(message, header=replace(header, session_id=session_id))
        case iso2.V2gMessage(header=header, body=body):
            if isinstance(body, iso2.MeteringReceiptReq):  # it names its session
                body = replace(body, session_id=session_id)
            named = replace(header, session_id=session_id)
            return replace(message, header=named, body=body)
