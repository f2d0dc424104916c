"""ISO 15118-2:2013 on the station's side: one pure handler a request.

Clauses: the table of states is ``v2g.sequence.ISO2_ROWS``; checks, codes and times are
those of v2g_iso2.md. What DC means is decided in ``secc.dc``, for DIN too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from pilothat.machine import Entropy
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    ChargeProgress,
    ChargingSession,
    EvseProcessing,
    ResponseCode,
)
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import Learned
from pilothat.v2g.secc import dc
from pilothat.v2g.secc.base import Answer, Opened, Session
from pilothat.v2g.secc.contract import TIMELESS, Clock, Secure
from pilothat.v2g.secc.dc import Verdict
from pilothat.v2g.secc.iso2_answers import (
    CHARGE_SERVICE_ID,
    discovery,
    refusal,
)
from pilothat.v2g.secc.iso2_contract import Contracting, selected
from pilothat.v2g.secc.iso2_parameters import Parameters
from pilothat.v2g.secc.iso2_power import (
    AC_PHASES,
    Handler,
    Iso2Answer,
    Iso2Ask,
    Iso2Session,
    Iso2Settings,
    Power,
    as_kind,
)
from pilothat.v2g.secc.services import Services
from pilothat.v2g.sequence import (
    AC,
    DC,
    EXTERNAL,
    ISO2_ROWS,
    PAUSE,
    RENEGOTIATE,
    START,
    STOP,
    TERMINATE,
    Iso2State,
    State,
    table,
)

_PROGRESS = {
    ChargeProgress.Start: START,
    ChargeProgress.Stop: STOP,
    ChargeProgress.Renegotiate: RENEGOTIATE,
}
_GOODBYE = {ChargingSession.Terminate: TERMINATE, ChargingSession.Pause: PAUSE}


def session(
    settings: Iso2Settings,
    entropy: Entropy,
    now: float,
    secure: Secure | None = None,
    clock: Clock = TIMELESS,
) -> Iso2Session:
    """Open a session. secure: what judges contracts, on a connection under TLS."""
    return Session(Iso2(settings, entropy, secure, clock), now)


class Iso2:
    """The standard, for ``Session`` to walk."""

    def __init__(
        self,
        settings: Iso2Settings,
        entropy: Entropy,
        secure: Secure | None,
        clock: Clock,
    ) -> None:
        self.first: State = Iso2State.SETUP
        self.ended: State = Iso2State.ENDED
        self.sequences = table(ISO2_ROWS, settings.quirks)
        loop = ("CurrentDemand", "ChargingStatus")  # a receipt is due by time
        self.steady: Collection[str] = () if settings.wants_receipts else loop
        self._settings = settings
        self._power = power = Power(settings)
        self._entropy = entropy
        self._contracting = paying = Contracting(
            power, entropy, secure, Services(settings.offer.internet)
        )
        contracts = secure.contracts if secure else None
        parameters = Parameters(power, settings, clock, contracts)
        self.handlers: Mapping[str, Handler] = {
            "SessionSetup": self._session_setup,
            "ServiceDiscovery": self._service_discovery,
            "ServiceDetail": paying.service_detail,
            "PaymentServiceSelection": self._selection,
            "CertificateInstallation": paying.installation,
            "CertificateUpdate": paying.update,
            "PaymentDetails": paying.payment_details,
            "Authorization": self._authorisation,
            "ChargeParameterDiscovery": parameters.handle,
            "CableCheck": power.cable_check,
            "PreCharge": power.precharge,
            "PowerDelivery": power.power_delivery,
            "CurrentDemand": power.current_demand,
            "ChargingStatus": power.charging_status,
            "MeteringReceipt": paying.metering_receipt,
            "WeldingDetection": power.welding_detection,
            "SessionStop": power.session_stop,
        }

    def open(self, message: object) -> Opened[iso2.Request] | None:
        """Return what is in a message; None if this is no request of -2."""
        if isinstance(message, iso2.V2gMessage) and isinstance(
            message.body, iso2.Request
        ):
            header = message.header
            return Opened(header.session_id, message.body, header.signature)
        return None

    def name(self, request: iso2.Request) -> tuple[str, str]:
        """Return the request's name without Req, and its variant."""
        variant = ""
        match request:
            case iso2.PaymentServiceSelectionReq():
                variant = selected(request)
            case iso2.ChargeParameterDiscoveryReq(requested_energy_transfer_mode=mode):
                variant = AC if mode in AC_PHASES else DC
            case iso2.PowerDeliveryReq(charge_progress=progress):
                variant = _PROGRESS[progress]
            case iso2.SessionStopReq(charging_session=goodbye):
                variant = _GOODBYE[goodbye]
        return type(request).__name__.removesuffix("Req"), variant

    def wrap(
        self,
        session_id: bytes,
        response: iso2.Response,
        signature: Signature | None = None,
    ) -> object:
        """Return the whole message for a response."""
        header = iso2.MessageHeader(session_id=session_id, signature=signature)
        return iso2.V2gMessage(header=header, body=response)

    def refuse(self, ask: Iso2Ask, code: str) -> iso2.Response:
        """Return the response to a request with this failure code."""
        return refusal(ask.request, ResponseCode[code], ask.plant, self._settings.offer)

    # --- who is there, what is wanted

    def _session_setup(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.SessionSetupReq, ask)
        old_id = ask.context.paused_id
        is_joined = bool(old_id) and ask.session_id == old_id
        new, joined = (
            ResponseCode.OK_NewSessionEstablished,
            ResponseCode.OK_OldSessionJoined,
        )
        response = iso2.SessionSetupRes(
            response_code=joined if is_joined else new,
            evse_id=self._settings.offer.evse_id,
        )
        session_id = old_id if is_joined else dc.new_session_id(self._entropy)
        return Answer(
            response,
            replace(ask.context, session_id=session_id, evcc_id=request.evcc_id),
            learned=Learned((("evcc_id", request.evcc_id.hex()),)),
        )

    def _service_discovery(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.ServiceDiscoveryReq, ask)
        response = discovery(ResponseCode.OK, self._settings.offer)
        return Answer(self._contracting.discovery(request, response), ask.context)

    def _selection(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.PaymentServiceSelectionReq, ask)
        contracting = self._contracting
        is_external = selected(request) == EXTERNAL
        services = request.selected_service_list.selected_service
        is_refused = self._settings.is_contract_only and contracting.is_offered
        if is_refused if is_external else not contracting.is_offered:
            return self._power.failed(ask, ResponseCode.FAILED_PaymentSelectionInvalid)
        if CHARGE_SERVICE_ID not in [one.service_id for one in services]:
            return self._power.failed(ask, ResponseCode.FAILED_NoChargeServiceSelected)
        if not all(map(contracting.services.is_selectable, services)):
            return self._power.failed(ask, ResponseCode.FAILED_ServiceSelectionInvalid)
        response = iso2.PaymentServiceSelectionRes(response_code=ResponseCode.OK)
        return Answer(response, ask.context)

    def _authorisation(self, ask: Iso2Ask) -> Iso2Answer:
        if ask.context.contract is not None:
            return self._contracting.authorization(ask, ask.context.contract)
        verdict = dc.authorisation(ask, self._settings.authorisation_s)
        if verdict is Verdict.REFUSED:
            return self._power.failed(ask, ResponseCode.FAILED)
        is_done = verdict is Verdict.DONE
        response = iso2.AuthorizationRes(
            response_code=ResponseCode.OK,
            evse_processing=EvseProcessing.Finished
            if is_done
            else EvseProcessing.Ongoing_WaitingForCustomerInteraction,
        )
        return Answer(response, ask.context, is_done=is_done)
