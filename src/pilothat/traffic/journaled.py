"""A station's journal as pieces: its frames, datagrams, connections and messages.

What came in is an event, what went out an action. V2GTP may have come in any portions,
so that each direction of a connection has a framer of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pilothat.frozen import dataclass
from pilothat.traffic.framing import Framer
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.v2g.tp import Frame

_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Heard:
    """Where it stands in the journal, when, and who said it."""

    where: str
    at_s: float
    sender: Side


class Journal:
    """Read a journal's lines, one after the other."""

    def __init__(self) -> None:
        self._framers: dict[tuple[int, Side], Framer] = {}

    @staticmethod
    def is_entry(record: Mapping[str, Any]) -> bool:
        """Tell whether this is a line of a journal."""
        return "journal" in record or ("event" in record and "actions" in record)

    def pieces(self, where: str, record: Mapping[str, Any]) -> Iterator[Piece]:
        """Return what an entry holds of conversations; nothing for the first line."""
        if "journal" in record:
            return
        try:
            at_s = float(record["at"])
            event = record["event"] or {}
            said = [(event, Side.EV), *((one, Side.EVSE) for one in record["actions"])]
            for value, sender in said:
                yield from self._of(value, Heard(where, at_s, sender))
        except _UNREADABLE as error:
            told = f"no entry of a journal ({error})"
            yield Piece(where=where, flaw=told, is_alone=True)

    def _of(self, value: Mapping[str, Any], heard: Heard) -> Iterator[Piece]:
        match value.get("type"):
            case "FrameIn" | "SendFrame":
                yield _frame(bytes.fromhex(value["frame"]), heard)
            case "SdpIn" | "SdpOut":
                for one in Framer().feed(bytes.fromhex(value["payload"])):
                    yield _piece(Layer.SDP, 0, one, heard)
            case "TcpOpened" | "TcpClosed" | "TcpClose":
                yield self._connection(value, heard)
            case "TcpData" | "TcpSend":
                stream = int(value["connection"])
                framer = self._framers.setdefault((stream, heard.sender), Framer())
                for one in framer.feed(bytes.fromhex(value["data"])):
                    yield _piece(Layer.V2GTP, stream, one, heard)

    def _connection(self, value: Mapping[str, Any], heard: Heard) -> Piece:
        stream = int(value["connection"])
        for side in Side:
            self._framers.pop((stream, side), None)
        text = "opened" if value["type"] == "TcpOpened" else "closed"
        return Piece(
            layer=Layer.TCP,
            at_s=heard.at_s,
            stream=stream,
            end=int(heard.sender is Side.EVSE),
            sender=heard.sender,
            text=text,
        )


def _frame(data: bytes, heard: Heard) -> Piece:
    """Return a frame; what came in may be the car's or our own modem's."""
    is_ours = heard.sender is Side.EVSE
    sender = Side.EVSE if is_ours else None
    return Piece(
        layer=Layer.SLAC, at_s=heard.at_s, end=int(is_ours), sender=sender, data=data
    )


def _piece(layer: Layer, stream: int, one: Frame | str, heard: Heard) -> Piece:
    if isinstance(one, str):
        return Piece(where=heard.where, flaw=f"V2GTP: {one}", is_alone=True)
    return Piece(
        layer=layer,
        at_s=heard.at_s,
        stream=stream,
        end=int(heard.sender is Side.EVSE),
        sender=heard.sender,
        payload_type=one.payload_type,
        data=one.payload,
    )
