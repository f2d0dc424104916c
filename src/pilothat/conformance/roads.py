"""The way to where a case begins, by what its precondition says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilothat.conformance.road import (
    authorise,
    check_cable,
    connect,
    details,
    find,
    link,
    loop_ac,
    loop_dc,
    open_contactor,
    pause,
    precharge,
    renegotiate,
    select_payment,
    shake_hands,
    start_ac,
    start_dc,
    stop_ac,
    stop_in_c,
    toggle,
    until_finished,
    wake_up,
    well,
    well_with,
    with_certificates,
)
from pilothat.conformance.rows import Row
from pilothat.conformance.tester import LowerTester

Step = Callable[[LowerTester], None]
DIN = "DIN70121"
ENDURANCE = 2000
_TO_PRECHARGED: Sequence[Step] = (
    link,
    find,
    connect,
    shake_hands,
    well("SessionSetupReq"),
    well("ServiceDiscoveryReq"),
    select_payment,
    authorise,
    until_finished("ChargeParameterDiscoveryReq"),
    check_cable,
    precharge,
)
_LINKED, _FOUND, _CONNECTED, _AGREED, _SETUP, _DISCOVERED = range(1, 7)
_SELECTED, _AUTHORISED, _PARAMETERS, _CHECKED, _PRECHARGED = range(7, 12)
_TO_INSTALLATION = (*_TO_PRECHARGED[:_DISCOVERED], with_certificates(1))
_TO_UPDATE = (*_TO_PRECHARGED[:_DISCOVERED], with_certificates(2))
_LOOPING = (*_TO_PRECHARGED, start_dc, loop_dc)
_ENDURED = (*_LOOPING, lambda tester: loop_dc(tester, ENDURANCE))
_AC_LOOPING = (*_TO_PRECHARGED[:_PARAMETERS], start_ac, loop_ac)

# what a precondition says -> the steps that lead there; the first that fits counts
ROADS: Mapping[str, Sequence[Step]] = {
    "Cable unplugged": (),
    "no SDP exchange yet": _TO_PRECHARGED[:_LINKED],
    "nothing sent on it": _TO_PRECHARGED[:_CONNECTED],
    "SDP answered": _TO_PRECHARGED[:_FOUND],
    "supportedAppProtocol negotiated": _TO_PRECHARGED[:_AGREED],
    "supportedAppProtocolRes OK": _TO_PRECHARGED[:_AGREED],
    "SessionSetupRes OK": _TO_PRECHARGED[:_SETUP],
    "ServiceDiscoveryRes OK": _TO_PRECHARGED[:_DISCOVERED],
    "ServiceDetailRes OK": _TO_PRECHARGED[:_DISCOVERED],
    "set 1 = Installation) selected": _TO_INSTALLATION,
    "set 2 = Update) selected": _TO_UPDATE,
    "CertificateInstallationRes OK": (
        *_TO_INSTALLATION,
        well("CertificateInstallationReq"),
    ),
    "CertificateUpdateRes OK": (*_TO_UPDATE, well("CertificateUpdateReq")),
    "PaymentDetailsRes OK": (*_TO_PRECHARGED[:_SELECTED], details),
    "CurrentDemandRes OK with ReceiptRequired true": (
        *_TO_PRECHARGED,
        start_dc,
        well("CurrentDemandReq"),
    ),
    "PaymentServiceSelectionRes OK": _TO_PRECHARGED[:_SELECTED],
    "AuthorizationRes": _TO_PRECHARGED[:_AUTHORISED],
    "ChargeParameterDiscoveryRes": _TO_PRECHARGED[:_PARAMETERS],
    "CableCheckRes": _TO_PRECHARGED[:_CHECKED],
    "PreChargeRes": _TO_PRECHARGED[:_PRECHARGED],
    "for ChargeProgress Start": (*_TO_PRECHARGED, start_dc),
    "for ChargeProgress Renegotiate": (*_LOOPING, renegotiate),
    "(endurance), is at: WeldingDetectionRes": (
        *_ENDURED,
        stop_in_c,
        open_contactor,
        well("WeldingDetectionReq"),
    ),
    "(endurance)": (*_ENDURED, stop_in_c, open_contactor),
    "CP left in C or D": (*_LOOPING, stop_in_c),
    "for ChargeProgress Stop": (*_LOOPING, stop_in_c, open_contactor),
    "in the charge loop": _LOOPING,
    # as cases call it that are told in words
    "Plain TCP session at SessionSetupRes": _TO_PRECHARGED[:_SETUP],
    "PowerDeliveryRes OK (Start)": (*_TO_PRECHARGED, start_dc),
    "PowerDeliveryRes OK (Renegotiate)": (*_LOOPING, renegotiate),
    "CP B after PowerDelivery Stop": (*_LOOPING, stop_in_c, open_contactor),
    "charge loop; driver presses stop": _LOOPING,
    "CurrentDemand loop": _LOOPING,
    "WeldingDetectionRes OK": (
        *_LOOPING,
        stop_in_c,
        open_contactor,
        well("WeldingDetectionReq"),
    ),
}


# where AC goes another way
AC_ROADS: Mapping[str, Sequence[Step]] = {
    "PowerDeliveryRes OK (Start)": (*_TO_PRECHARGED[:_PARAMETERS], start_ac),
    "for ChargeProgress Start": (*_TO_PRECHARGED[:_PARAMETERS], start_ac),
    "ChargingStatusRes OK with ReceiptRequired true": (
        *_TO_PRECHARGED[:_PARAMETERS],
        start_ac,
        well("ChargingStatusReq"),
    ),
    "for ChargeProgress Renegotiate": (
        *_AC_LOOPING,
        well_with("PowerDeliveryReq", ChargeProgress="Renegotiate"),
    ),
    "(endurance)": (
        *_AC_LOOPING,
        lambda tester: loop_ac(tester, ENDURANCE),
        stop_ac,
    ),
    "for ChargeProgress Stop": (*_AC_LOOPING, stop_ac),
    "in the charge loop": _AC_LOOPING,
}

# and DIN SPEC 70121
_DIN_LOOPING = (*_TO_PRECHARGED, start_dc, loop_dc)
DIN_ROADS: Mapping[str, Sequence[Step]] = {
    "ServicePaymentSelectionRes OK": _TO_PRECHARGED[:_SELECTED],
    "ContractAuthenticationRes Finished": _TO_PRECHARGED[:_AUTHORISED],
    "CableCheckReq received": _TO_PRECHARGED[:_PARAMETERS],
    "PowerDeliveryRes OK (ready)": (*_TO_PRECHARGED, start_dc),
    "CurrentDemand loop": _DIN_LOOPING,
    "PowerDeliveryRes (not ready)": (*_DIN_LOOPING, stop_in_c, open_contactor),
}


def steps(row: Row) -> Sequence[Step] | None:
    """Return the way to where a case begins; None when nobody knows it."""
    if "stopped and paused" in row.precondition:
        return _through_a_pause(row)
    own = AC_ROADS if row.mode == "AC" else {}
    if row.protocol == DIN:
        own = DIN_ROADS
    for words, road in (*own.items(), *ROADS.items()):
        if words in row.precondition:
            return road
    return None


def _through_a_pause(row: Row) -> Sequence[Step]:
    """Return the way through a charge, a sleep and the first requests after it."""
    stopped = "for ChargeProgress Stop"
    charged = (AC_ROADS if row.mode == "AC" else ROADS)[stopped]
    wake = wake_up if "The EVSE ends the sleep" in row.precondition else toggle
    again: Sequence[Step] = ()
    if "SessionSetup joined" in row.precondition:
        again = _TO_PRECHARGED[_AGREED:_SETUP]
    elif "Authorization is Finished again" in row.precondition:
        again = _TO_PRECHARGED[_AGREED:_AUTHORISED]
    return (*charged, pause, wake, *_TO_PRECHARGED[_LINKED:_AGREED], *again)
