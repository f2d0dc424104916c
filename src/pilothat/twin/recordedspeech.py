"""The protocols that are played: what they share, and what each of them calls it.

The message modules of DIN SPEC 70121 and ISO 15118-2 name alike what is alike, so most
of a message is read by those names, whatever its protocol is. The rest stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.exi.schema import WireEnum
from pilothat.v2g.evcc.handshake import ISO_2
from pilothat.v2g.messages import din, iso2
from pilothat.v2g.messages.iso2 import ChargeProgress
from pilothat.v2g.messages.sap import SupportedAppProtocolReq, SupportedAppProtocolRes

HANDSHAKE = "app"
PLAYED = ("din", "iso2")
ISO = "urn:iso:"  # what a namespace of ISO 15118 begins with

V2gMessage = din.V2gMessage | iso2.V2gMessage
CODECS: Mapping[type, str] = {
    SupportedAppProtocolReq: HANDSHAKE,
    SupportedAppProtocolRes: HANDSHAKE,
    din.V2gMessage: "din",
    iso2.V2gMessage: "iso2",
}
SessionSetupReq = din.SessionSetupReq | iso2.SessionSetupReq
SessionSetupRes = din.SessionSetupRes | iso2.SessionSetupRes
PreChargeReq = din.PreChargeReq | iso2.PreChargeReq
PreChargeRes = din.PreChargeRes | iso2.PreChargeRes

CHECKED = (  # requests that are repeated while the station is busy
    "ContractAuthentication",
    "Authorization",
    "ChargeParameterDiscovery",
    "CableCheck",
)
POWER_ON, POWER_OFF, NEW_TERMS = (
    f"PowerDelivery {wish}" for wish in ("on", "off", "renegotiate")
)
_PROGRESS: Mapping[ChargeProgress, str] = {
    ChargeProgress.Start: POWER_ON,
    ChargeProgress.Stop: POWER_OFF,
    ChargeProgress.Renegotiate: NEW_TERMS,
}
_TRANSFERS = ("ev_requested_energy_transfer_type", "requested_energy_transfer_mode")
_NOT_SERVED = (  # refusals of what a station does not have
    "Failed_NoNegotiation",
    "FAILED_WrongEnergyTransferType",
    "FAILED_WrongEnergyTransferMode",
)


def agreed(asked: object, told: object) -> str:
    """Return the namespace a handshake agreed on; empty when that is not known.

    Where the station refused it is what the car offered first.
    """
    if not isinstance(asked, SupportedAppProtocolReq) or not isinstance(
        told, SupportedAppProtocolRes
    ):
        return ""
    offers = asked.app_protocol
    for offer in offers:
        if offer.schema_id == told.schema_id:
            return offer.protocol_namespace
    return offers[0].protocol_namespace if told.schema_id is None else ""


def protocol_of(namespace: str) -> str:
    """Return the codec of a namespace; empty for a protocol that is not played.

    What is not of ISO is DIN, whatever a maker calls it.
    """
    if namespace == ISO_2:
        return "iso2"
    return "" if namespace.startswith(ISO) else "din"


def body_of(message: object) -> object:
    """Return what stands inside a V2G message; another message as it is."""
    return message.body if isinstance(message, V2gMessage) else message


def request_name(message: object) -> str:
    """Return a request's name without Req; "unknown" for one that is not decoded.

    Power delivery is told with what the car wants of it.
    """
    match body_of(message):
        case None:
            return "unknown"
        case din.PowerDeliveryReq(ready_to_charge_state=is_ready):
            return POWER_ON if is_ready else POWER_OFF
        case iso2.PowerDeliveryReq(charge_progress=progress):
            return _PROGRESS[progress]
        case body:
            return type(body).__name__.removesuffix("Req")


def is_busy(message: object) -> bool | None:
    """Tell whether an answer asks for more time; None for one that never does."""
    processing = getattr(body_of(message), "evse_processing", None)
    if not isinstance(processing, WireEnum):
        return None
    return processing.literal != "Finished"


def refusal(message: object) -> str:
    """Return the code of an answer that says no; empty for one that says yes."""
    code = getattr(body_of(message), "response_code", None)
    if not isinstance(code, WireEnum):
        return ""
    return code.literal if code.literal.upper().startswith("FAILED") else ""


def is_unserved(code: str) -> bool:
    """Tell whether a refusal says that the station does not have what was asked for."""
    return code in _NOT_SERVED


def energy_transfer(message: object) -> str:
    """Return how a car wants to charge, as the wire says it; empty if it does not."""
    body = body_of(message)
    wanted = (getattr(body, name, None) for name in _TRANSFERS)
    return next((x.literal for x in wanted if isinstance(x, WireEnum)), "")


def is_needless(request: object, answer: object) -> bool:
    """Tell whether a car asks this only of a station that gave another answer.

    Receipts and services beside charging: DIN has neither.
    """
    told = body_of(answer)
    match body_of(request):
        case iso2.MeteringReceiptReq():
            return not getattr(told, "receipt_required", True)
        case iso2.ServiceDetailReq(service_id=wanted):
            listed = getattr(told, "service_list", None)
            known = [service.service_id for service in listed.service] if listed else []
            return isinstance(told, iso2.ServiceDiscoveryRes) and wanted not in known
    return False
