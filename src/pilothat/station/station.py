"""The station: one machine that composes all others.

Facts come in through ``handle``; each is passed to the machine it concerns, and what
that machine wants becomes actions of the station. Whatever ends a charge goes through
``_stop`` and the one list of steps in ``station.stopping``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pilothat.faults import Fault, Reaction
from pilothat.guard import GuardFact, PilotFact
from pilothat.machine import Entropy, earliest, is_due
from pilothat.pilot.duty import FAULT_PCT
from pilothat.pilot.levels import PilotState
from pilothat.plant import CheckCable, Cut, ForPower, Wish
from pilothat.power import path as power
from pilothat.slac.timing import T_CONN_RESUME_S
from pilothat.station import events, phases
from pilothat.station import powerline as line
from pilothat.station.actions import Action, Raise, Topic
from pilothat.station.outputs import Outputs
from pilothat.station.phases import Phase
from pilothat.station.seen import Outlook, path_of, stop_view
from pilothat.station.serving import served
from pilothat.station.settings import StationSettings
from pilothat.station.standing import StandingFaults, judge_pilot
from pilothat.station.stopping import (
    ANNOUNCE,
    BY_ENDING,
    DUTIES_PCT,
    WISHES,
    Effect,
    Stopper,
    StopReason,
)
from pilothat.station.talk import Heard, Hung, Outward, Talk, TalkAction, TalkEvent
from pilothat.station.transaction import Transaction, said
from pilothat.station.visit import Visit
from pilothat.v2g.plant import Learned, PlantState, SessionOver


class Station:
    """One charging point, from the pilot's edge to the goodbye."""

    def __init__(self, settings: StationSettings, entropy: Entropy) -> None:
        self.phase = Phase.STARTING
        self.pilot = PilotFact(PilotState.F, 0.0, None, FAULT_PCT)
        self.guard = GuardFact(is_contactor_closed=False, is_supply_enabled=False)
        self.faults = StandingFaults()
        self.path, self._outlook = path_of(settings), Outlook(settings)
        self.line = line.Powerline(
            settings.host_mac, settings.slac, settings.modem, entropy
        )
        self.talk = Talk(served(settings, entropy))
        self.stopper = Stopper()
        self.transaction = Transaction(0.0)
        self._settings = settings
        self.visit = Visit(settings)
        self._is_going = False
        self._cause: Fault | None = None  # of the stop for a fault
        self._until: float | None = None
        self._out = Outputs()

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return earliest(
            self._until,
            self.visit.basic.until,
            self.line.deadline,
            self.talk.deadline,
            self.path.deadline,
            self.stopper.deadline,
        )

    @property
    def is_ready(self) -> bool:
        """Whether a car may come: key confirmed, address there, no fault."""
        is_free = not (self._is_going or self.faults)
        return self.line.is_ready and is_free and self.talk.network.address is not None

    @property
    def is_safe(self) -> bool:
        """Whether nothing is on, and nothing is on its way."""
        is_off = not (self.path.phase.is_live or self.guard.is_contactor_closed)
        return is_off and self.phase is not Phase.STOPPING

    def handle(self, event: events.Event, now: float) -> Sequence[Action]:
        """Take one fact."""
        match event:
            case events.PlantReport(plant):
                self.transaction.meter(plant, now)
                self._of_path(self.path.handle(plant, now), now)
            case events.MessageIn() | events.TcpData():
                self._network_event(event, now)
            case PilotFact():
                self._pilot(event, now)
            case GuardFact() | events.SecondLook():
                self._guard(event, now)
            case events.FrameIn(raw):
                self._of_line(self.line.handle(raw, now), now)
            case events.NetworkFact():
                self._network(event, now)
            case _ if isinstance(event, events.Command):
                self._operator(event, now)
            case _:
                self._network_event(event, now)
        return self._settle(now)

    def tick(self, now: float) -> Sequence[Action]:
        """Let time pass."""
        self._of_path(self.path.tick(now), now)
        self._of_line(self.line.tick(now), now)
        self._of_talk(self.talk.tick(now), now)
        if is_due(self._until, now):
            self._until = None
            if self.phase is Phase.SETUP and self.talk.session:
                self._until = now + phases.LOOK_S  # its own timer runs
            elif self.phase is Phase.SETUP:
                self._stop(StopReason.SETUP_TIMEOUT, now)
            elif self.phase is Phase.RETRY:
                self._next_pilot_step(now)
        return self._settle(now)

    # --- facts

    def _pilot(self, fact: PilotFact, now: float) -> None:
        was, self.pilot = self.pilot, fact
        if fact.state is was.state:
            return
        self._out.publish(Topic.PILOT, f"{fact.state.value} {fact.high_v:.1f} V")
        self.line.saw_toggle(wants_energy=fact.state.wants_energy, now=now)
        self.faults.see_pilot(fact.state)
        if fact.state.wants_energy:
            self._wake(now)  # BCB
        self._judge(was.state, now)

    def _judge(self, was: PilotState, now: float) -> None:
        """Take what the pilot means for a charge."""
        if self.phase is Phase.BASIC:
            self._wish(self.visit.basic.wish(self.pilot.state), now)
        state, ventilated = self.pilot.state, self._settings.has_ventilation
        verdict = judge_pilot(was, state, self.path.phase, has_ventilation=ventilated)
        if isinstance(verdict, Fault):
            self._fault(verdict, now)
        elif verdict is StopReason.UNPLUGGED:
            self._unplugged(now)
        elif verdict is not None:
            self._stop(verdict, now)

    def _unplugged(self, now: float) -> None:
        self.visit.unplugged()
        if self.phase in phases.WITH_CAR:
            self._stop(StopReason.UNPLUGGED, now)
        elif self.phase is Phase.FINISHED:
            self._rest()

    def _guard(self, fact: GuardFact | events.SecondLook, now: float) -> None:
        if isinstance(fact, events.SecondLook):
            self._seen(self.faults.of_witness(agrees=fact.agrees), now)
            return
        was, self.guard = self.guard, fact
        self._seen(self.faults.of_guard(fact.faults), now)
        if fact.is_contactor_closed is not was.is_contactor_closed:
            closed = fact.is_contactor_closed
            self._of_path(self.path.handle(power.ContactorIs(closed), now), now)
            if self.phase is Phase.BASIC:  # the car may have asked while it opened
                self._wish(self.visit.basic.wish(self.pilot.state), now)

    def _network(self, fact: events.NetworkFact, now: float) -> None:
        was, self.talk.network = self.talk.network, fact
        if fact.is_up and not was.is_up:
            self._of_line(self.line.renew_key(now), now)

    def _network_event(self, event: TalkEvent, now: float) -> None:
        self._of_line(self.line.heard_car(event, now), now)
        self.talk.plant = self._plant_state()
        self._of_talk(self.talk.handle(event, now), now)

    def _operator(self, event: events.Command, now: float) -> None:
        match event:
            case events.Authorised(is_granted):
                self.visit.is_authorised = is_granted
                slac = self.line.slac_state
                if why := self.visit.granted(self.phase, slac, now):
                    self._stop(why, now)
            case events.WakeUp():
                self._wake(now)
            case events.FaultCleared(fault):
                self.faults.clear(fault)
            case events.FaultKept(fault):
                self._fault(fault, now)
            case events.StopRequested(cause):
                self._is_going = self._is_going or cause is events.StopCause.SHUTDOWN
                if self.phase in phases.WITH_CAR:
                    self.visit.retries.give_up()
                    self._stop(StopReason[cause.name], now)

    # --- what the parts want

    def _of_path(self, actions: Iterable[power.PathAction], now: float) -> None:
        for action in actions:
            if isinstance(action, power.PathFailed):
                self._fault(action.fault, now)
            else:
                self._out.of_path(action)

    def _of_line(self, actions: Iterable[line.LineAction], now: float) -> None:
        for action in actions:
            match action:
                case line.LineUp() if self.phase in (Phase.MATCHING, Phase.SETUP):
                    self._enter(Phase.SETUP, now + phases.SETUP_S)
                case line.LineDown() if self.phase in phases.LINKED:
                    self._link_lost(now)
                case line.NotMatched(why) if self.phase is Phase.MATCHING:
                    self._out.publish(Topic.SLAC, why)
                    self.visit.failed()
                    self._stop(StopReason.NOT_MATCHED, now)
                case line.LineReady():
                    self.faults.clear(Fault.MODEM)
                case line.LineLost(why):
                    self._out.publish(Topic.NOTE, why)
                    self._fault(Fault.MODEM, now)
                case line.LineUp() | line.LineDown() | line.NotMatched():
                    pass  # of a car that is not waited for
                case _:
                    self._out.add(action)

    def _link_lost(self, now: float) -> None:
        if not self.visit.basic.outlasts_link:
            self._stop(StopReason.LINK_LOST, now)
            return
        self._out.extend(self.talk.close())
        self._enter(Phase.BASIC, None)
        self._of_line(self.line.rematch(now), now)
        self._judge(self.pilot.state, now)

    def _of_talk(self, actions: Iterable[TalkAction], now: float) -> None:
        for action in actions:
            match action:
                case Heard(name):
                    if self.transaction.is_news(name):
                        self._out.publish(Topic.MESSAGE, name)
                case SessionOver(ending, why):
                    self._out.publish(Topic.SESSION, why)
                    self._stop(BY_ENDING[ending], now)
                case Hung(why, is_ours):
                    self._out.publish(Topic.SESSION, why)
                    lost = StopReason.CONNECTION_LOST
                    self._stop(StopReason.REFUSED if is_ours else lost, now)
                case Learned(values):
                    self.transaction.learned.update(values)
                    self._out.publish(Topic.SESSION, said(values))
                case _ if isinstance(action, Outward):
                    self._out.add(action)
                case _:
                    self._wish(action, now)

    def _wish(self, wish: Wish, now: float) -> None:
        is_allowed = self.phase in phases.POWERED or self.stopper.step is ANNOUNCE
        if not is_allowed and isinstance(wish, ForPower):
            return
        self._of_path(self.path.handle(wish, now), now)
        if isinstance(wish, CheckCable):
            self._judge(self.pilot.state, now)  # D was no matter so far

    # --- faults

    def _seen(self, faults: Iterable[Fault], now: float) -> None:
        for fault in faults:
            self._fault(fault, now)

    def _fault(self, fault: Fault, now: float) -> None:
        if not self.faults.add(fault):
            return
        self._out.add(Raise(fault))
        if fault.row.reaction is Reaction.WAIT:
            if self.phase is Phase.MATCHING:
                self._stop(StopReason.NOT_MATCHED, now)
            return
        self._wish(Cut(), now)
        if self.phase is not Phase.OUT_OF_SERVICE:
            if self.stopper.reason is not StopReason.FAULT:
                self._cause = fault
            self._stop(StopReason.FAULT, now)

    # --- the stopping path

    def _stop(self, reason: StopReason, now: float) -> None:
        """Begin to stop. The only way out of a charge, whatever the cause."""
        for effect in self.stopper.begin(reason, now):
            self._out.publish(Topic.SESSION, reason.value)
            self.transaction.reason = self.transaction.reason or reason.value
            if self.phase is not Phase.STOPPING:
                self._enter(Phase.STOPPING, None)
            self._effect(effect, now)

    def _walk(self, now: float) -> None:
        """Go on along the stopping path as far as it is free."""
        seen = (self.talk, self.path)
        while effects := self.stopper.handle(stop_view(*seen, self.guard), now):
            for effect in effects:
                self._effect(effect, now)
        reason = self.stopper.reason
        then = self.stopper.finish()
        if reason is None or then is None:
            return
        if self.faults.lasting:
            self._enter(Phase.OUT_OF_SERVICE, None)
        elif then is Phase.IDLE:
            self._rest()
        else:
            then = self.visit.after(reason, then)
            self._enter(then, now if then is Phase.RETRY else None)

    def _effect(self, effect: Effect, now: float) -> None:
        if effect in WISHES:
            self._wish(WISHES[effect], now)
        elif effect in DUTIES_PCT:
            self._out.drive(DUTIES_PCT[effect])
        elif effect is Effect.CLOSE:
            self._out.extend(self.talk.close())
        elif effect is Effect.LEAVE:
            self._of_line(self.line.leave(now), now)

    # --- phases

    def _settle(self, now: float) -> Sequence[Action]:
        """Let what has changed take effect; return what is to be done."""
        if self.talk.is_waiting:
            self._of_talk(self.talk.tell(self._plant_state(), now), now)
        if self.phase is Phase.OUT_OF_SERVICE and not self.faults.lasting:
            self._enter(Phase.FINISHED, None)
        if self.phase in phases.OPEN and self.talk.is_established:
            self._enter(Phase.SESSION, None)
        if self.visit.is_impatient(self.phase, self.line, self.talk, now):
            self._stop(StopReason.AUTHORISED, now)
        if self.stopper.reason is not None:
            self._walk(now)
        if self.phase in phases.WITHOUT_CAR:
            self._await_car(now)
        return self._out.drain()

    def _await_car(self, now: float) -> None:
        if not self.is_ready:
            if self.phase is Phase.IDLE:
                self._enter(Phase.STARTING, None)
        elif self.pilot.state.is_plugged:
            if self.visit.retries.is_first_try:
                self.transaction = Transaction(now)
            self.path.forget()
            self._enter(self.visit.first_phase(), None)
            is_basic = self.phase is Phase.BASIC
            self._of_line(self.line.match(now, is_endless=is_basic), now)
            self._judge(self.pilot.state, now)
        elif self.phase is Phase.STARTING:
            self._enter(Phase.IDLE, None)

    def _wake(self, now: float) -> None:
        """Offer a car that pauses to go on."""
        if self.phase is Phase.PAUSED:
            self.path.forget()
            self._enter(Phase.SETUP, now + T_CONN_RESUME_S)
            self._of_line(self.line.resume(now), now)

    def _next_pilot_step(self, now: float) -> None:
        step = self.visit.retries.next_step()
        if step is None:
            self._enter(Phase.FINISHED if self._is_going else Phase.STARTING, None)
            return
        duty_pct, duration_s = step
        self._out.drive(duty_pct)
        self._until = now + duration_s

    def _rest(self) -> None:
        """Forget the last car."""
        self.faults.forget_car()
        self.path.forget()
        self.visit.rest()
        self.talk.paused_id = b""
        self._enter(Phase.STARTING, None)

    def _enter(self, phase: Phase, until: float | None) -> None:
        if phase not in phases.FOLLOWS[self.phase]:
            raise AssertionError(f"{self.phase} cannot be followed by {phase}")
        self.phase, self._until = phase, until
        self.talk.is_open = self.visit.may_talk(phase)
        duty_pct = self.visit.enter(phase)
        if duty_pct is not None:
            self._out.drive(duty_pct)
        self._out.publish(Topic.PHASE, phase.value)

    def _plant_state(self) -> PlantState:
        reason, wh = self.stopper.reason, self.transaction.energy_wh
        fault = self._cause if reason is StopReason.FAULT else None
        standing = (self.visit.is_authorised, reason is not None, fault)
        return self._outlook.state(self.path, self.pilot.state, standing, wh)
