"""SupportedAppProtocol: the first exchange, which chooses the protocol.

ISO 15118-2, V2G_CI_AppProtocol; used alike by DIN SPEC 70121 and ISO 15118-20.
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import (
    El,
    Grammar,
    Integer,
    Root,
    Text,
    UnsignedByte,
    UnsignedInt,
    WireEnum,
)
from pilothat.frozen import dataclass


class ResponseCode(WireEnum):
    OK_SuccessfulNegotiation = 0
    OK_SuccessfulNegotiationWithMinorDeviation = 1
    Failed_NoNegotiation = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AppProtocol:
    """One protocol the EV speaks. Priority 1 is what it likes best."""

    protocol_namespace: Annotated[str, Text(100), El("ProtocolNamespace")]
    version_number_major: Annotated[UnsignedInt, El("VersionNumberMajor")]
    version_number_minor: Annotated[UnsignedInt, El("VersionNumberMinor")]
    schema_id: Annotated[UnsignedByte, El("SchemaID")]
    priority: Annotated[int, Integer(1, 20), El("Priority")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedAppProtocolReq:
    """The EV lists what it speaks."""

    app_protocol: Annotated[tuple[AppProtocol, ...], El("AppProtocol", max_=20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedAppProtocolRes:
    """The SECC chooses; the schema id only if there is a choice."""

    response_code: Annotated[ResponseCode, El("ResponseCode")]
    schema_id: Annotated[UnsignedByte | None, El("SchemaID")] = None


GRAMMAR = Grammar(
    "app",
    global_elements=2,
    roots=(
        Root(0, "supportedAppProtocolReq", SupportedAppProtocolReq),
        Root(1, "supportedAppProtocolRes", SupportedAppProtocolRes),
    ),
    element_names=9,
)
