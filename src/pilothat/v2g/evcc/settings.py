"""What cars do differently in a session: numbers and habits, no behaviour.

The defaults are an honest car that keeps to DIN SPEC 70121 and ISO 15118-2.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from pilothat.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """How long the car waits (DIN SPEC 70121 and ISO 15118-2, EVCC timers).

    slow_message_s:    for power delivery, ISO 15118-2 only
    ready_to_charge_s: from the first message to power on, DIN only
    """

    message_s: float = 2.0
    slow_message_s: float = 5.0
    current_demand_s: float = 0.25
    ongoing_s: float = 60.0  # authentication and charge parameters, each
    cable_check_s: float = 40.0
    precharge_s: float = 7.0
    ready_to_charge_s: float = 150.0
    open_s: float = 1.0  # our choice: current must be gone after power off
    ramp_down_s: float = 5.0  # our choice


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the car thinks: from a response to its next request.

    change_s, repeat_s, loop_s: before another kind of request, before the same again,
    and before the next CurrentDemandReq
    grid_s: least distance of two requests of one kind; None where there is no grid
    before_cable_check_s: it locks the plug and closes S2
    before_loop_s:        its contactor closes
    """

    change_s: float = 0.05
    repeat_s: float = 0.1
    loop_s: float = 0.1
    grid_s: float | None = None
    before_parameters_s: float = 0.05
    before_cable_check_s: float = 0.5
    before_loop_s: float = 0.3


class TimeUnit(Enum):
    """In what a car tells the time that is left; most say seconds."""

    S = 1
    M = 60
    H = 3600


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What the car tells about itself. None: it does not send the element.

    energy_request_wh: a fixed number; None: what is missing in the battery, if it
                       tells the capacity
    is_always_ready:   EVReady also before the cable check
    whole_volts:       sends volts without a decimal
    """

    max_v: float = 420.0
    max_a: float = 200.0
    max_w: float | None = 80_000.0
    capacity_wh: float | None = 58_000.0
    energy_request_wh: float | None = None
    full_soc_pct: int | None = 100
    bulk_soc_pct: int | None = 80
    asks_category: bool = True
    sends_conditioning: bool = False
    sends_bulk_complete: bool = True
    sends_time_to_full: bool = True
    sends_time_to_bulk: bool = False
    time_unit: TimeUnit = TimeUnit.S
    sends_loop_limits: bool = True
    sends_profile: bool = True
    is_always_ready: bool = False
    whole_volts: bool = False


@dataclass(frozen=True, slots=True)
class ChargeGoal:
    """What the car wants in the loop.

    start_a:        the first target, from where the ramp begins
    taper_from_pct: from here the current falls in a straight line, to taper_to_a at
                    100 % SoC
    """

    target_soc_pct: float = 80.0
    target_v: float = 410.0
    current_a: float = 150.0
    start_a: float = 0.0
    ramp_up_a_per_s: float = 40.0
    ramp_down_a_per_s: float = 200.0
    taper_from_pct: float = 80.0
    taper_to_a: float = 10.0

    def current_at(self, soc_pct: float) -> float:
        """Return the current the battery takes at a state of charge."""
        if soc_pct <= self.taper_from_pct:
            return self.current_a
        part = (soc_pct - self.taper_from_pct) / (100.0 - self.taper_from_pct)
        return self.current_a + part * (self.taper_to_a - self.current_a)


class Trust(Enum):
    """Whose voltage ends the precharge."""

    INLET = "inlet"  # the car's own measurement
    REPORT = "report"  # what the station says
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Habits:
    """Where cars differ (captures/INDEX.md, quirks).

    setup_session_id:  in the header of SessionSetupReq
    precharge_max:     requests after which the car gives up; None: the timer alone
    doubt_s:           silence after a cable check that finished without Valid and
                       Ready, then power off; None: ask on until the timer ends
    welding_min/max:   number of WeldingDetectionReq; 0 skips
    mismatch_s:        patience with a reported current that is not the measured one
    first_precharge_v: target of the first PreChargeReq only; None: as of the others
    extra_authorisations: requests after the station has finished the authorisation
    refuses_zero_limits:  leaves a station that states 0 A or 0 W as its maximum
    nothing_s:         patience in the loop with a station that gives nothing
    stops_from_loop:   says SessionStop in the loop, without power off
    """

    setup_session_id: bytes = bytes(8)
    aborts_after_auth: bool = False
    needs_valid_cable_check: bool = True
    doubt_s: float | None = None
    precharge_a: float = 1.0
    precharge_window_v: float = 20.0
    precharge_trust: Trust = Trust.INLET
    precharge_max: int | None = None
    leaves_precharge_by_power_off: bool = True
    obeys_not_ready: bool = True
    obeys_stop_notification: bool = True
    ramps_on_station_stop: bool = False
    lowers_limits: bool = False
    mismatch_a: float = 5.0
    mismatch_s: float | None = None
    welding_min: int = 1
    welding_max: int = 10
    welding_below_v: float = 60.0
    says_goodbye_after_failed: bool = True
    first_precharge_v: float | None = None
    extra_authorisations: int = 0
    refuses_zero_limits: bool = False
    nothing_s: float | None = None
    stops_from_loop: bool = False


class Energy(Enum):
    """How energy goes into the car."""

    DC = "dc"
    AC = "ac"


class DcMode(Enum):
    """The DC ways of ISO 15118-2, by their names on the wire."""

    DC_core = 0
    DC_extended = 1
    DC_combo_core = 2
    DC_unique = 3


@dataclass(frozen=True, slots=True)
class Iso2Habits:
    """What a car does in a session of ISO 15118-2 beyond one of DIN.

    max_entries:        of a schedule; None: it does not say
    departure_s:        from the parameters on; None: it does not say
    profile_w:          what it says it will draw; None: what the schedule allows
    profile_at_stop:    it says so when it asks for power off, too
    obeys_renegotiation: when the station asks for new terms
    renegotiates_after_s: it asks itself, once, so long after power on
    pauses_after_s:     it pauses, once, so long after power on
    pause_s:            so long it sleeps then
    """

    energy: Energy = Energy.DC
    dc_mode: DcMode = DcMode.DC_extended
    max_entries: int | None = None
    departure_s: int | None = None
    profile_w: float | None = None
    profile_at_stop: bool = False
    obeys_renegotiation: bool = True
    renegotiates_after_s: float | None = None
    pauses_after_s: float | None = None
    pause_s: float = 60.0
    welds_before_pause: bool = True


@dataclass(frozen=True, slots=True)
class AcVehicle:
    """The on-board charger. Currents for each phase.

    wanted_wh: a fixed amount; None: what is missing in the battery to its goal
    min_w:     it leaves a station whose schedule allows less
    s2_after_s: from its request for power to C on the pilot
    opens_s2_first: goes to B before it asks for power off
    """

    has_three_phases: bool = False
    max_v: float = 260.0
    max_a: float = 16.0
    min_a: float = 6.0
    wanted_wh: float | None = None
    min_w: float | None = None
    s2_after_s: float = 0.0
    opens_s2_first: bool = False

    @property
    def phases(self) -> int:
        """Number of phases it draws from."""
        return 3 if self.has_three_phases else 1


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """One car in a session. evcc_id: usually its MAC."""

    evcc_id: bytes = bytes(6)
    timers: Timers = field(default_factory=Timers)
    pace: Pace = field(default_factory=Pace)
    vehicle: Vehicle = field(default_factory=Vehicle)
    goal: ChargeGoal = field(default_factory=ChargeGoal)
    habits: Habits = field(default_factory=Habits)
    iso2: Iso2Habits = field(default_factory=Iso2Habits)
    ac: AcVehicle = field(default_factory=AcVehicle)
