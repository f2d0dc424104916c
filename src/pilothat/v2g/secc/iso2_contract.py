"""ISO 15118-2: Plug & Charge; what a car without it never asks for (pnc.md, 5 and 6).

Chains and signatures are judged by who was handed in (``secc.contract.Contracts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pilothat.machine import Entropy
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    EvseProcessing,
    PaymentOption,
    PaymentOptionList,
    ResponseCode,
)
from pilothat.v2g.plant import Learned, TimeOfDay
from pilothat.v2g.secc.base import Answer
from pilothat.v2g.secc.contract import Contract, Delivered, Ruling, Secure
from pilothat.v2g.secc.dc import Verdict
from pilothat.v2g.secc.iso2_answers import loop_status
from pilothat.v2g.secc.iso2_power import Iso2Answer, Iso2Ask, Power, as_kind
from pilothat.v2g.secc.services import CERTIFICATE_ID, CERTIFICATES, Services
from pilothat.v2g.sequence import (
    CONTRACT,
    EXTERNAL,
    INSTALL,
    INSTALL_UPDATE,
    UPDATE,
)

CHALLENGE_OCTETS = 16  # all of it random (V2G2-697, V2G2-698)
_VARIANTS: Mapping[frozenset[int], str] = {
    frozenset(): CONTRACT,
    frozenset({1}): INSTALL,
    frozenset({2}): UPDATE,
    frozenset({1, 2}): INSTALL_UPDATE,
}


def selected(request: iso2.PaymentServiceSelectionReq) -> str:
    """Return how a car pays, and what it wants of the certificate service."""
    if request.selected_payment_option is PaymentOption.ExternalPayment:
        return EXTERNAL
    services = request.selected_service_list.selected_service
    wanted = frozenset(
        one.parameter_set_id
        for one in services
        if one.service_id == CERTIFICATE_ID and one.parameter_set_id
    )
    return _VARIANTS.get(wanted & frozenset(CERTIFICATES), CONTRACT)


class Contracting:
    """The handlers of Plug & Charge, and what is offered of it.

    secure: None on a connection without TLS, and where no contract is accepted
    """

    def __init__(
        self,
        power: Power,
        entropy: Entropy,
        secure: Secure | None,
        services: Services,
    ) -> None:
        self.services = services
        self.services.has_certificates = bool(secure and secure.contracts.is_issuing)
        self._power = power
        self._entropy = entropy
        self._secure = secure

    @property
    def is_offered(self) -> bool:
        """Whether a car may pay by contract."""
        return self._secure is not None

    def discovery(
        self, request: iso2.ServiceDiscoveryReq, answer: iso2.ServiceDiscoveryRes
    ) -> iso2.ServiceDiscoveryRes:
        """Return the answer with contracts and services in it, where there are any."""
        options = answer.payment_option_list
        if self.is_offered:
            both = (PaymentOption.Contract, PaymentOption.ExternalPayment)
            told = both[:1] if self._power.is_contract_only else both
            options = PaymentOptionList(payment_option=told)
        return replace(
            answer,
            payment_option_list=options,
            service_list=self.services.offered(request),
        )

    def service_detail(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.ServiceDetailReq, ask)
        sets = self.services.sets(request.service_id)
        if sets is None:
            return self._power.failed(ask, ResponseCode.FAILED_ServiceIDInvalid)
        response = iso2.ServiceDetailRes(
            response_code=ResponseCode.OK,
            service_id=request.service_id,
            service_parameter_list=sets,
        )
        return Answer(response, ask.context)

    def payment_details(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.PaymentDetailsReq, ask)
        secure, time = self._at(ask)
        ruling = secure.contracts.payment_details(request, time)
        if not ruling.is_good:
            return self._refused(ask, ruling)
        challenge = self._entropy(CHALLENGE_OCTETS)
        response = iso2.PaymentDetailsRes(
            response_code=ruling.code,
            gen_challenge=challenge,
            evse_time_stamp=int(time.unix_s),
        )
        contract = Contract(ruling.leaf, challenge)
        return Answer(
            response,
            replace(ask.context, contract=contract),
            learned=Learned((("emaid", request.emaid),)),
        )

    def authorization(self, ask: Iso2Ask, contract: Contract) -> Iso2Answer:
        """Take the signed answer to the challenge; what follows it is not signed."""
        request = as_kind(iso2.AuthorizationReq, ask)
        if not contract.is_proven:
            secure, time = self._at(ask)
            signature = ask.signature
            ruling = secure.contracts.authorization(request, signature, contract, time)
            if not ruling.is_good:
                return self._refused(ask, ruling)
        verdict = self._power.release(ask)
        if verdict is Verdict.REFUSED:
            return self._power.failed(ask, ResponseCode.FAILED)
        is_done = verdict is Verdict.DONE
        response = iso2.AuthorizationRes(
            response_code=ResponseCode.OK,
            evse_processing=EvseProcessing.Finished
            if is_done
            else EvseProcessing.Ongoing,
        )
        proven = replace(contract, is_proven=True)
        return Answer(response, replace(ask.context, contract=proven), is_done=is_done)

    def installation(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.CertificateInstallationReq, ask)
        secure, time = self._at(ask)
        given = secure.contracts.install(request, ask.signature, time)
        return self._delivered(ask, given)

    def update(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.CertificateUpdateReq, ask)
        secure, time = self._at(ask)
        return self._delivered(
            ask, secure.contracts.update(request, ask.signature, time)
        )

    def metering_receipt(self, ask: Iso2Ask) -> Iso2Answer:
        request, contract = as_kind(iso2.MeteringReceiptReq, ask), ask.context.contract
        if contract is None:
            return self._power.failed(ask, ResponseCode.FAILED)
        ruling = self._at(ask)[0].contracts.metering_receipt(
            request, ask.signature, ask.context.session_id, contract
        )
        if not ruling.is_good:
            return self._refused(ask, ruling)
        response = iso2.MeteringReceiptRes(
            response_code=ResponseCode.OK,
            evse_status=loop_status(ask.plant),
        )
        return Answer(response, ask.context)

    def _at(self, ask: Iso2Ask) -> tuple[Secure, TimeOfDay]:
        """Return who judges, and the time of day."""
        if self._secure is None:
            raise AssertionError("a contract was selected and none is accepted")
        return self._secure, self._secure.clock.moment(ask.now)

    def _delivered(self, ask: Iso2Ask, given: Delivered | Ruling) -> Iso2Answer:
        if isinstance(given, Ruling):
            return self._refused(ask, given)
        return Answer(given.body, ask.context, signature=given.signature)

    def _refused(self, ask: Iso2Ask, ruling: Ruling) -> Iso2Answer:
        return self._power.failed(ask, ruling.code, ruling.why)
