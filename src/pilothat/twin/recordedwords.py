"""What was said, in words: the fields that matter of each message, with units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter

from pilothat.exi.schema import WireEnum
from pilothat.homeplug import cm
from pilothat.twin.recordedmarks import Said
from pilothat.twin.recording import body_of
from pilothat.v2g import sdp
from pilothat.v2g.messages import din, sap
from pilothat.v2g.messages.din import PhysicalValue

Shown = Sequence[tuple[str, str]]
"""(what it is called, where it stands in the message)"""

_CODE = ("", "response_code")
_BUSY = ("", "evse_processing")
_PRESENT_V = ("present", "evse_present_voltage")
_SOC = ("SoC", "dc_ev_status.ev_ress_soc")
_EV = (("", "dc_ev_status.ev_error_code"), ("ready", "dc_ev_status.ev_ready"))


def _evse(path: str) -> Shown:
    return (
        ("", f"{path}.evse_status_code"),
        ("isolation", f"{path}.evse_isolation_status"),
        ("", f"{path}.evse_notification"),
    )


_OFFERED = "evse_charge_parameter"
_ASKED = "ev_charge_parameter"
_MESSAGES: Mapping[type, Shown] = {
    sap.SupportedAppProtocolRes: (_CODE, ("schema", "schema_id")),
    din.SessionSetupRes: (_CODE, ("EVSE", "evse_id")),
    din.ServiceDiscoveryRes: (_CODE,),
    din.ServicePaymentSelectionReq: (("", "selected_payment_option"),),
    din.ServicePaymentSelectionRes: (_CODE,),
    din.ContractAuthenticationRes: (_CODE, _BUSY),
    din.ChargeParameterDiscoveryReq: (
        ("", "ev_requested_energy_transfer_type"),
        ("up to", f"{_ASKED}.ev_maximum_voltage_limit"),
        ("", f"{_ASKED}.ev_maximum_current_limit"),
        ("", f"{_ASKED}.ev_maximum_power_limit"),
        ("wants", f"{_ASKED}.ev_energy_request"),
        ("SoC", f"{_ASKED}.dc_ev_status.ev_ress_soc"),
    ),
    din.ChargeParameterDiscoveryRes: (
        _CODE,
        _BUSY,
        ("up to", f"{_OFFERED}.evse_maximum_voltage_limit"),
        ("", f"{_OFFERED}.evse_maximum_current_limit"),
        ("", f"{_OFFERED}.evse_maximum_power_limit"),
        *_evse(f"{_OFFERED}.dc_evse_status"),
    ),
    din.CableCheckReq: (_SOC, *_EV),
    din.CableCheckRes: (_CODE, _BUSY, *_evse("dc_evse_status")),
    din.PreChargeReq: (
        ("target", "ev_target_voltage"),
        ("", "ev_target_current"),
        *_EV,
    ),
    din.PreChargeRes: (_CODE, _PRESENT_V, *_evse("dc_evse_status")),
    din.PowerDeliveryRes: (_CODE, *_evse("evse_status")),
    din.CurrentDemandReq: (
        ("target", "ev_target_voltage"),
        ("", "ev_target_current"),
        _SOC,
        *_EV,
    ),
    din.CurrentDemandRes: (
        _CODE,
        _PRESENT_V,
        ("", "evse_present_current"),
        *_evse("dc_evse_status"),
    ),
    din.WeldingDetectionReq: _EV,
    din.WeldingDetectionRes: (_CODE, _PRESENT_V, *_evse("dc_evse_status")),
    din.SessionStopRes: (_CODE,),
}
_UNREMARKABLE = ("NO_ERROR", "None", "yes")


def words_of(said: Said) -> tuple[str, str]:
    """Return the name of what was said, as on the wire, and its fields."""
    message = said.message
    if message is not None and type(message) in cm.MESSAGES:
        return wire_name(said.name), _frame(message)
    if isinstance(message, sdp.SdpRequest | sdp.SdpResponse):
        return said.name, "TLS" if message.tls else "no TLS"
    body = body_of(message)
    if isinstance(body, din.PowerDeliveryReq):
        return said.name, "on" if body.ready_to_charge_state else "off"
    if isinstance(body, sap.SupportedAppProtocolReq):
        return said.name, _offers(body)
    shown = _MESSAGES.get(type(body), ())
    return said.name, " ".join(filter(None, (_field(body, *row) for row in shown)))


def wire_name(class_name: str) -> str:
    """Return CM_SLAC_PARM.REQ for CmSlacParmReq."""
    words = re.findall("[A-Z][a-z]*", class_name)
    return f"{'_'.join(words[:-1])}.{words[-1]}".upper()


def _frame(message: object) -> str:
    match message:
        case cm.CmSlacParmReq(run_id=run_id) | cm.CmSlacParmCnf(run_id=run_id):
            return f"run {run_id.hex()}"
        case cm.CmMnbcSoundInd(cnt=cnt):
            return f"{cnt} to come"
        case cm.CmAttenCharInd(aag_db=aag_db, num_sounds=sounds) if aag_db:
            return f"{sounds} sounds, {sum(aag_db) / len(aag_db):.1f} dB"
    return ""


def _offers(request: sap.SupportedAppProtocolReq) -> str:
    return ", ".join(
        f"{offer.protocol_namespace} {offer.version_number_major}."
        f"{offer.version_number_minor} schema {offer.schema_id} prio {offer.priority}"
        for offer in request.app_protocol
    )


def _field(body: object, label: str, path: str) -> str:
    """Return a field with its label; empty for one that is absent or says nothing."""
    try:
        value = attrgetter(path)(body)
    except AttributeError:  # another member of a substitution group
        return ""
    if value is None:
        return ""
    text = _text(value)
    if label == "SoC":
        text += " %"
    return "" if text in _UNREMARKABLE else f"{label} {text}".strip()


def _text(value: object) -> str:
    match value:
        case PhysicalValue():
            unit = value.unit.literal if value.unit is not None else ""
            return f"{value.si:g} {unit}".strip()
        case WireEnum():
            return value.literal
        case bool():
            return "yes" if value else "no"
        case bytes():
            return value.hex()
    return str(value)
