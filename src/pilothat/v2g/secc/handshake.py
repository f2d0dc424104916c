"""The application handshake: which protocol both sides speak (ISO 15118-2, 8.2)."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.frozen import dataclass
from pilothat.v2g.messages.sap import (
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)


@dataclass(frozen=True, slots=True)
class Served:
    """A protocol this station really speaks on this connection."""

    namespace: str
    major: int
    minor: int
    protocol: str  # the name of its codec and of its session


DIN = Served("urn:din:70121:2012:MsgDef", 2, 0, "din")
ISO2 = Served("urn:iso:15118:2:2013:MsgDef", 2, 0, "iso2")


def negotiate(
    request: SupportedAppProtocolReq, served: Sequence[Served]
) -> tuple[SupportedAppProtocolRes, Served | None]:
    """Choose what the car likes best among what we serve.

    The car ranks, the station filters; of equal priorities the first entry wins.
    """
    by_name = {(one.namespace, one.major): one for one in served}
    offers = [
        offer
        for offer in request.app_protocol
        if (offer.protocol_namespace, offer.version_number_major) in by_name
    ]
    if not offers:
        code = ResponseCode.Failed_NoNegotiation
        return SupportedAppProtocolRes(response_code=code), None
    best = min(offers, key=lambda offer: offer.priority)
    chosen = by_name[best.protocol_namespace, best.version_number_major]
    code = (
        ResponseCode.OK_SuccessfulNegotiation
        if best.version_number_minor == chosen.minor
        else ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation
    )
    return (
        SupportedAppProtocolRes(response_code=code, schema_id=best.schema_id),
        chosen,
    )
