"""A small honest station for the car's tests, and the road the two walk together.

It answers every request by a table. A test replaces answers, holds them back, or sets
what the car measures. Nothing here is taken from the product's own station.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import ClassVar, Generic, TypeVar

from pilothat.v2g.evcc.din import DinEvcc
from pilothat.v2g.evcc.events import (
    Action,
    Connected,
    Disconnect,
    DrawCurrent,
    Event,
    InletFact,
    LockPlug,
    ResponseIn,
    SendRequest,
    SessionEnded,
    SetEvContactor,
    SetS2,
)
from pilothat.v2g.evcc.session import Session
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.messages import din, iso2

SESSION_ID = bytes.fromhex("a1a2a3a4a5a6a7a8")
OK = din.ResponseCode.OK
FINISHED = din.EvseProcessing.Finished
ONGOING = din.EvseProcessing.Ongoing


def volts(value: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol.V)


def amperes(value: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol.A)


def watts(value: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol.W)


def status(
    code: din.DcEvseStatusCode = din.DcEvseStatusCode.EVSE_Ready,
    isolation: din.IsolationLevel | None = din.IsolationLevel.Valid,
    notification: din.EvseNotification = din.EvseNotification.NONE,
) -> din.DcEvseStatus:
    return din.DcEvseStatus(
        evse_isolation_status=isolation,
        evse_status_code=code,
        notification_max_delay=0,
        evse_notification=notification,
    )


def parameters(
    processing: din.EvseProcessing = FINISHED, max_a: float = 125.0
) -> din.ChargeParameterDiscoveryRes:
    entry = din.PMaxScheduleEntry(
        time_interval=din.RelativeTimeInterval(start=0, duration=86400), p_max=32767
    )
    schedule = din.PMaxSchedule(p_max_schedule_id=1, p_max_schedule_entry=(entry,))
    tuple_ = din.SaScheduleTuple(sa_schedule_tuple_id=1, p_max_schedule=schedule)
    return din.ChargeParameterDiscoveryRes(
        response_code=OK,
        evse_processing=processing,
        sa_schedules=din.SaScheduleList(sa_schedule_tuple=(tuple_,)),
        evse_charge_parameter=din.DcEvseChargeParameter(
            dc_evse_status=status(isolation=din.IsolationLevel.Invalid),
            evse_maximum_current_limit=amperes(max_a),
            evse_maximum_power_limit=watts(50_000),
            evse_maximum_voltage_limit=volts(500),
            evse_minimum_current_limit=amperes(1),
            evse_minimum_voltage_limit=volts(150),
            evse_peak_current_ripple=amperes(1),
        ),
    )


def discovery() -> din.ServiceDiscoveryRes:
    tag = din.ServiceTag(service_id=1, service_category=din.ServiceCategory.EVCharging)
    return din.ServiceDiscoveryRes(
        response_code=OK,
        payment_options=din.PaymentOptions(
            payment_option=(din.PaymentOption.ExternalPayment,)
        ),
        charge_service=din.ServiceCharge(
            service_tag=tag,
            free_service=False,
            energy_transfer_type=din.EvseSupportedEnergyTransferType.DC_extended,
        ),
    )


def current(
    evse: din.DcEvseStatus, voltage_v: float, current_a: float
) -> din.CurrentDemandRes:
    return din.CurrentDemandRes(
        response_code=OK,
        dc_evse_status=evse,
        evse_present_voltage=volts(voltage_v),
        evse_present_current=amperes(current_a),
        evse_current_limit_achieved=False,
        evse_voltage_limit_achieved=False,
        evse_power_limit_achieved=False,
    )


@dataclass
class Answers(ABC):
    """Answers by the table ``special`` first, then honestly."""

    protocol: ClassVar[str] = "din"
    reported_v: float = 350.0
    reported_a: float = 0.0
    special: dict[str, Callable[[], object]] = field(default_factory=dict)

    def answer(self, request: object) -> object | None:
        name = type(request).__name__.removesuffix("Req")
        special = self.special.get(name)
        return special() if special else self.honest(name)

    @abstractmethod
    def honest(self, name: str) -> object: ...

    @abstractmethod
    def car(self, settings: SessionSettings) -> Session:
        """Return a car that speaks the same."""

    @abstractmethod
    def wrap(self, session_id: bytes, body: object) -> object:
        """Return a message around a body."""


@dataclass
class Station(Answers):
    """A station of DIN SPEC 70121."""

    evse: din.DcEvseStatus = field(default_factory=status)

    def car(self, settings: SessionSettings) -> Session:
        return DinEvcc(settings)

    def wrap(self, session_id: bytes, body: object) -> object:
        assert body is None or isinstance(body, din.BodyElement)
        header = din.MessageHeader(session_id=session_id)
        return din.V2gMessage(header=header, body=body)

    def honest(self, name: str) -> din.Response:
        present_v, evse = volts(self.reported_v), self.evse
        answers: Mapping[str, Callable[[], din.Response]] = {
            "SessionSetup": lambda: din.SessionSetupRes(
                response_code=din.ResponseCode.OK_NewSessionEstablished, evse_id=b"Z"
            ),
            "ServiceDiscovery": discovery,
            "ServicePaymentSelection": lambda: din.ServicePaymentSelectionRes(
                response_code=OK
            ),
            "ContractAuthentication": lambda: din.ContractAuthenticationRes(
                response_code=OK, evse_processing=FINISHED
            ),
            "ChargeParameterDiscovery": parameters,
            "CableCheck": lambda: din.CableCheckRes(
                response_code=OK, dc_evse_status=evse, evse_processing=FINISHED
            ),
            "PreCharge": lambda: din.PreChargeRes(
                response_code=OK, dc_evse_status=evse, evse_present_voltage=present_v
            ),
            "PowerDelivery": lambda: din.PowerDeliveryRes(
                response_code=OK, evse_status=evse
            ),
            "CurrentDemand": lambda: current(evse, self.reported_v, self.reported_a),
            "WeldingDetection": lambda: din.WeldingDetectionRes(
                response_code=OK, dc_evse_status=evse, evse_present_voltage=volts(20)
            ),
            "SessionStop": lambda: din.SessionStopRes(response_code=OK),
        }
        return answers[name]()


S = TypeVar("S", bound=Answers)


@dataclass
class Walk(Generic[S]):
    """Car and station in one virtual time. ``log`` holds (time, action)."""

    settings: SessionSettings
    station: S
    latency_s: float = 0.02
    now: float = 0.0
    fact: InletFact = field(default_factory=lambda: InletFact(350.0, 0.0, 40.0, 350.0))
    follows: bool = True  # the current follows the target, as a good supply's does
    log: list[tuple[float, Action]] = field(default_factory=list)
    session_id: bytes = SESSION_ID

    def __post_init__(self) -> None:
        self.car = self.station.car(self.settings)
        self._inbox: list[tuple[float, object]] = []
        self._is_joined = False
        self.tell(self.fact)
        self.tell(Connected())

    def tell(self, event: Event) -> None:
        self._perform(self.car.handle(event, self.now))

    def measure(self, **changes: float) -> None:
        self.fact = replace(self.fact, **changes)
        self.tell(self.fact)

    def step(self) -> bool:
        """Go to the next moment at which something happens; False: nothing will."""
        times = [at for at, _ in self._inbox[:1]]
        times += [] if self.car.deadline is None else [self.car.deadline]
        if not times:
            return False
        self.now = max(self.now, min(times))
        if self._inbox and self._inbox[0][0] <= self.now:
            self.tell(ResponseIn(self._inbox.pop(0)[1]))
        self._perform(self.car.tick(self.now))
        return True

    def run(
        self, until: Callable[[], bool] = lambda: False, most: int = 20_000
    ) -> None:
        while most and not until() and self.step():
            most -= 1

    def run_to(self, request: str, count: int = 1) -> None:
        """Run until the car has sent this request so many times."""
        self.run(lambda: self.requests().count(request) >= count)

    def requests(self) -> list[str]:
        return [
            type(body).__name__.removesuffix("Req") for _, body in self.sent_bodies()
        ]

    def sent_bodies(self) -> list[tuple[float, object]]:
        return [
            (at, body_of(action.message))
            for at, action in self.log
            if isinstance(action, SendRequest)
        ]

    def times(self, request: str) -> list[float]:
        name = f"{request}Req"
        return [at for at, body in self.sent_bodies() if type(body).__name__ == name]

    def actions(self) -> list[Action]:
        """All actions but messages."""
        return [a for _, a in self.log if not isinstance(a, SendRequest)]

    @property
    def ending(self) -> SessionEnded:
        ended = [a for a in self.actions() if isinstance(a, SessionEnded)]
        assert len(ended) == 1
        assert self.actions()[-2:] == [Disconnect(), ended[0]]
        return ended[0]

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self.log.append((self.now, action))
            if isinstance(action, SetEvContactor):
                self._is_joined = action.closed
            if isinstance(action, DrawCurrent) and self.follows:
                self.station.reported_a = action.current_a
                self.measure(current_a=action.current_a)
            if isinstance(action, SendRequest):
                self._answer(action.message)

    def _answer(self, message: object) -> None:
        request = body_of(message)
        if self.follows:
            self._flow(request)
        body = self.station.answer(request)
        if body is not None:
            answer = self.station.wrap(self.session_id, body)
            self._inbox.append((self.now + self.latency_s, answer))

    def _flow(self, request: object) -> None:
        """Let the current be what was asked for."""
        if isinstance(request, din.CurrentDemandReq | iso2.CurrentDemandReq):
            self.station.reported_a = request.ev_target_current.si
        elif not self._is_joined or is_power_delivery(request):
            self.station.reported_a = 0.0
        self.measure(current_a=self.station.reported_a)


@dataclass
class Road(Walk[Station]):
    """Both speak DIN SPEC 70121."""

    settings: SessionSettings = field(default_factory=SessionSettings)
    station: Station = field(default_factory=Station)


PAIRS: tuple[tuple[Action, Action], ...] = (
    (LockPlug(locked=True), LockPlug(locked=False)),
    (SetS2(closed=True), SetS2(closed=False)),
    (SetEvContactor(closed=True), SetEvContactor(closed=False)),
)


def is_free(walk: Walk[S]) -> bool:
    """Tell whether all that was taken was let go, and no current is drawn."""
    done = walk.actions()
    drawn = [a.current_a for a in done if isinstance(a, DrawCurrent)]
    is_open = all(done.count(up) == done.count(down) for up, down in PAIRS)
    return is_open and [0.0, *drawn][-1] == 0.0


def story(walk: Walk[S]) -> list[object]:
    """Return actions and, of messages, the names; repeats once."""
    return [one for one, _ in groupby(word(action) for _, action in walk.log)]


def word(action: Action) -> object:
    match action:
        case SendRequest(message):
            return type(body_of(message)).__name__.removesuffix("Req")
    return action


def body_of(message: object) -> object:
    assert isinstance(message, din.V2gMessage | iso2.V2gMessage)
    assert message.body is not None
    return message.body


def is_power_delivery(request: object) -> bool:
    return isinstance(request, din.PowerDeliveryReq | iso2.PowerDeliveryReq)
