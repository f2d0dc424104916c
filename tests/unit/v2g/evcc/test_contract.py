"""A car that pays by contract, and receipts for readings of the meter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby

import pytest
from tests.unit.v2g.evcc.honest import SESSION_ID, Walk
from tests.unit.v2g.evcc.honest2 import (
    OK,
    ONGOING,
    AcStation,
    Iso2Station,
    ac_status,
    authorisation,
    charging,
    current,
    discovery,
    status,
)

from pilothat.pnc.authority import CHAINS, Identity, make_pki
from pilothat.pnc.signature import sign, verify
from pilothat.twin.chance import Chance
from pilothat.v2g.evcc.contract import Contract, Signed
from pilothat.v2g.evcc.events import (
    Outcome,
    SendRequest,
    SessionEnded,
    SetEvContactor,
    StopWish,
)
from pilothat.v2g.evcc.iso2 import Iso2AcEvcc, Iso2DcEvcc
from pilothat.v2g.evcc.session import Session
from pilothat.v2g.evcc.settings import Energy, Iso2Habits, SessionSettings
from pilothat.v2g.evcc.states import State
from pilothat.v2g.messages import codec, iso2

EMAID = "DE1ABCD2EF357A"
CHALLENGE = bytes(range(16))
METER = iso2.MeterInfo(meter_id="M1", meter_reading=1234)
BOTH = (iso2.PaymentOption.Contract, iso2.PaymentOption.ExternalPayment)
PAID = [
    "SessionSetup",
    "ServiceDiscovery",
    "PaymentServiceSelection",
    "PaymentDetails",
    "Authorization",
    "ChargeParameterDiscovery",
]
AC = SessionSettings(iso2=Iso2Habits(energy=Energy.AC))


@cache
def identities() -> dict[str, Identity]:
    return dict(make_pki(1_800_000_000.0, Chance(4, "pki")))


def contract() -> Contract:
    made = identities()
    chain = [made[name].certificate.der for name in CHAINS["contract"]]
    key = made["contract"].key
    return Contract(EMAID, chain, lambda element: sign((element,), key))


def offering(*payments: iso2.PaymentOption) -> iso2.ServiceDiscoveryRes:
    listed = iso2.PaymentOptionList(payment_option=payments)
    return replace(discovery(*iso2.EnergyTransferMode), payment_option_list=listed)


@dataclass
class PncStation(Iso2Station):
    """It takes contracts, and wants receipts when told so."""

    contract: Contract | None = field(default_factory=contract)
    payments: tuple[iso2.PaymentOption, ...] = BOTH
    wants_receipts: bool = False

    def car(self, settings: SessionSettings) -> Session:
        return Iso2DcEvcc(settings, None, self.contract)

    def honest(self, name: str) -> iso2.Response:
        match name:
            case "ServiceDiscovery":
                return offering(*self.payments)
            case "PaymentDetails":
                return iso2.PaymentDetailsRes(
                    response_code=OK, gen_challenge=CHALLENGE, evse_time_stamp=0
                )
            case "MeteringReceipt":
                return iso2.MeteringReceiptRes(response_code=OK, evse_status=self.evse)
            case "CurrentDemand" if self.wants_receipts:
                answer = current(self.evse, self.reported_v, self.reported_a)
                return replace(answer, meter_info=METER, receipt_required=True)
        return super().honest(name)


@dataclass
class PncAcStation(AcStation):
    def honest(self, name: str) -> iso2.Response:
        match name:
            case "MeteringReceipt":
                return iso2.MeteringReceiptRes(response_code=OK, evse_status=self.ac)
            case "ChargingStatus":
                answer = charging(self.ac, self.max_a)
                return replace(answer, meter_info=METER, receipt_required=True)
        return super().honest(name)


def charged(station: PncStation | None = None) -> Walk[PncStation]:
    road = Walk(SessionSettings(), station or PncStation())
    road.run_to("CurrentDemand", 30)
    road.measure(soc_pct=80.0)
    road.run()
    return road


def messages(road: Walk[PncStation], kind: type[iso2.Request]) -> list[iso2.V2gMessage]:
    sent = [a.message for _, a in road.log if isinstance(a, SendRequest)]
    return [
        one
        for one in sent
        if isinstance(one, iso2.V2gMessage) and isinstance(one.body, kind)
    ]


def is_signed(message: iso2.V2gMessage) -> bool:
    body = message.body
    assert isinstance(body, Signed)
    key = identities()["contract"].key.public_key()
    return verify(message.header.signature, (body,), key).is_good


def test_the_contract_is_chosen_and_shown_before_the_authorisation() -> None:
    road = charged()
    assert [name for name, _ in groupby(road.requests())][:6] == PAID
    assert road.ending.outcome is Outcome.CHARGED
    (chosen,) = messages(road, iso2.PaymentServiceSelectionReq)
    assert isinstance(chosen.body, iso2.PaymentServiceSelectionReq)
    assert chosen.body.selected_payment_option is iso2.PaymentOption.Contract
    (shown,) = messages(road, iso2.PaymentDetailsReq)
    assert isinstance(shown.body, iso2.PaymentDetailsReq)
    chain = shown.body.contract_signature_cert_chain
    assert shown.body.emaid == EMAID
    assert chain.sub_certificates is not None
    assert [chain.certificate, *chain.sub_certificates.certificate] == [
        *contract().chain
    ]


def test_the_first_authorisation_answers_the_challenge_signed_and_the_rest_do_not() -> (
    None
):
    answers = [authorisation(iso2.EvseProcessing.Finished), authorisation(ONGOING)]
    station = PncStation(special={"Authorization": answers.pop})
    first, second = messages(charged(station), iso2.AuthorizationReq)
    assert isinstance(first.body, iso2.AuthorizationReq)
    assert first.body.gen_challenge == CHALLENGE
    assert is_signed(first)
    assert second.body == iso2.AuthorizationReq()
    assert second.header.signature is None


def test_what_is_signed_survives_the_wire() -> None:
    (first, *_) = messages(charged(), iso2.AuthorizationReq)
    again = codec("iso2").decode(codec("iso2").encode(first))
    assert isinstance(again, iso2.V2gMessage)
    assert is_signed(again)


@pytest.mark.parametrize(
    ("payments", "has_contract"),
    [
        ((iso2.PaymentOption.ExternalPayment,), True),
        (BOTH, False),
    ],
)
def test_without_contract_or_offer_payment_is_external(
    payments: tuple[iso2.PaymentOption, ...], *, has_contract: bool
) -> None:
    station = PncStation(payments=payments)
    station.contract = station.contract if has_contract else None
    road = charged(station)
    assert "PaymentDetails" not in road.requests()
    assert messages(road, iso2.AuthorizationReq)[0].header.signature is None
    assert road.ending.outcome is Outcome.CHARGED


@pytest.mark.parametrize(
    "code",
    [code for code in iso2.ResponseCode if code >= iso2.ResponseCode.FAILED],
)
def test_a_contract_that_is_refused_ends_the_session(code: iso2.ResponseCode) -> None:
    refused = iso2.PaymentDetailsRes(
        response_code=code, gen_challenge=CHALLENGE, evse_time_stamp=0
    )
    station = PncStation(special={"PaymentDetails": lambda: refused})
    road = Walk(SessionSettings(), station)
    road.run()
    assert road.ending == SessionEnded(
        Outcome.REFUSED, f"payment details: the station said {code.literal}"
    )


def test_a_contract_that_expires_soon_is_good() -> None:
    soon = iso2.PaymentDetailsRes(
        response_code=iso2.ResponseCode.OK_CertificateExpiresSoon,
        gen_challenge=CHALLENGE,
        evse_time_stamp=0,
    )
    station = PncStation(special={"PaymentDetails": lambda: soon})
    assert charged(station).ending.outcome is Outcome.CHARGED


def test_payment_details_may_take_five_seconds() -> None:
    road = Walk(SessionSettings(), PncStation(special={"PaymentDetails": lambda: None}))
    road.run()
    assert road.now == pytest.approx(road.times("PaymentDetails")[0] + 5.0)


# --- receipts


def test_each_reading_that_wants_it_gets_a_signed_receipt_before_the_next_request() -> (
    None
):
    road = charged(PncStation(wants_receipts=True))
    names = road.requests()
    after = [
        names[i + 1] for i, name in enumerate(names[:-1]) if name == "CurrentDemand"
    ]
    assert set(after) == {"MeteringReceipt"}
    receipts = messages(road, iso2.MeteringReceiptReq)
    assert len(receipts) >= 30
    first = receipts[0].body
    assert isinstance(first, iso2.MeteringReceiptReq)
    assert (first.meter_info, first.session_id) == (METER, SESSION_ID)
    assert first.sa_schedule_tuple_id == 1
    assert is_signed(receipts[0])
    assert names[-3:] == ["PowerDelivery", "WeldingDetection", "SessionStop"]


def test_a_car_without_contract_confirms_unsigned() -> None:
    road = charged(PncStation(contract=None, wants_receipts=True))
    (first, *_) = messages(road, iso2.MeteringReceiptReq)
    assert first.header.signature is None
    assert isinstance(first.body, iso2.MeteringReceiptReq)
    assert first.body.id is None


@pytest.mark.parametrize("state", [State.CHARGING, State.RECEIPT])
def test_the_drivers_wish_waits_for_the_receipt(state: State) -> None:
    road = Walk(SessionSettings(), PncStation(wants_receipts=True))
    road.run_to("CurrentDemand", 30)
    road.run(lambda: road.car.state is state)
    road.tell(StopWish("enough"))
    road.run()
    assert road.ending == SessionEnded(Outcome.STOPPED, "enough")
    names = road.requests()
    assert names[names.index("WeldingDetection") - 2] == "MeteringReceipt"


def test_a_stop_by_the_station_waits_for_the_receipt_too() -> None:
    road = Walk(SessionSettings(), PncStation(wants_receipts=True))
    road.run_to("CurrentDemand", 30)
    road.station.evse = status(iso2.DcEvseStatusCode.EVSE_Shutdown)
    road.run()
    assert road.requests()[-4:] == [
        "MeteringReceipt",
        "PowerDelivery",
        "WeldingDetection",
        "SessionStop",
    ]


def test_receipts_win_no_time_for_a_current_that_stays() -> None:
    road = Walk(SessionSettings(), PncStation(wants_receipts=True))
    road.run_to("CurrentDemand", 50)
    road.follows = False
    road.tell(StopWish("enough"))
    began = road.now
    road.run_to("PowerDelivery", 2)
    assert road.now - began == pytest.approx(5.2, abs=0.4)
    road.run()
    assert SetEvContactor(closed=False) in road.actions()


def test_an_ac_car_draws_on_while_it_confirms() -> None:
    road = Walk(AC, PncAcStation())
    road.run_to("MeteringReceipt", 5)
    assert isinstance(road.car, Iso2AcEvcc)
    assert road.fact.current_a == 16.0
    road.station.ac = ac_status(iso2.EvseNotification.StopCharging)
    road.run()
    assert road.requests()[-3:] == ["MeteringReceipt", "PowerDelivery", "SessionStop"]
    assert road.ending.outcome is Outcome.STOPPED


def test_signing_is_asked_of_who_has_the_key() -> None:
    asked: list[Signed] = []
    real = contract()

    def noting(element: Signed) -> iso2.Signature:
        asked.append(element)
        return real.sign(element)

    charged(PncStation(contract=replace(real, sign=noting)))
    assert [type(one) for one in asked] == [iso2.AuthorizationReq]
