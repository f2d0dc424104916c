"""Every single fault: what sees it, what happens, how soon: docs/single-faults.md.

    python -m tests.single_faults        print the page, measured anew
    tests/hat/test_single_faults.py      each row is a test; the page must be current

All in virtual time. Faults of cable, board, daemon and programs befall the guard on its
real driver and the twin of the board (``tests.hat.rig``); those of supply, car and line
befall the whole station (``twin.world``). A rig's time is to a millisecond and to the
estimate of what an exchange with the daemon costs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.hat.rig import READY, Rig
from tests.sim.short import Visit

from pilothat.board.lamps import Sensed
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.guardlink import Alive
from pilothat.runtime.guardproc import ALIVE_S
from pilothat.runtime.panel import TICK_S, Reading
from pilothat.runtime.witness import Witness
from pilothat.station.actions import Raise
from pilothat.station.events import SecondLook, StopCause, StopRequested
from pilothat.twin.bench import BenchFault
from pilothat.twin.car import Car, Plug, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.circuit import CarPilot
from pilothat.twin.faults import Held
from pilothat.twin.hat import HatFault
from pilothat.twin.profile import CarProfile
from pilothat.twin.stage import EV, EV_MAC, WorldSettings, fitting
from pilothat.twin.world import World

SETTLED_S = 5.0  # of charging, before something happens
LIMIT_S = 120.0
R = TypeVar("R", bound=Rig)
NOTE = "<!-- made by `python -m tests.single_faults`, measured; do not edit -->\n\n"


@dataclass(frozen=True)
class Outcome:
    """What came of a fault; times from it, ms; None for never.

    told: the first faults that were told
    """

    told_ms: float | None
    told: Sequence[str]
    opened_ms: float | None


@dataclass(frozen=True)
class Case:
    """A single fault.

    seen_by: what detects it
    opens:   the contactor must be open so soon, ms; None where it stays closed
    told:    the fault that must be told; empty for none
    """

    name: str
    fault: str
    seen_by: str
    opens: float | None
    told: str
    meet: Callable[[], Outcome]


def on_rig(
    befall: Callable[[R], None],
    made: Callable[[], R] = Rig,  # type: ignore[assignment]  # where R is not told
) -> Callable[[], Outcome]:
    """Return a way to let something befall the guard on the board."""

    def meet() -> Outcome:
        rig = made()
        rig.charge()
        began = rig.now
        befall(rig)
        rig.run(1.0)
        told = [(at, fault.name) for at, fault in rig.faults if at >= began]
        opened = None if rig.opened_at is None else (rig.opened_at - began) * 1e3
        return _outcome(began, told, opened)

    return meet


def in_world(befall: Callable[[Visit], None]) -> Callable[[], Outcome]:
    """Return a way to let something befall a whole charge."""

    def meet() -> Outcome:
        visit = _visit()
        world = visit.world
        told: list[tuple[float, str]] = []
        world.watchers.append(
            lambda now, _, actions: told.extend(
                (now, one.fault.name) for one in actions if isinstance(one, Raise)
            )
        )
        world.run(lambda: visit.car.phase_text == "charging", LIMIT_S)
        settled = world.now + SETTLED_S
        world.run(lambda: world.now >= settled, settled + 1.0)
        began = world.now
        befall(visit)
        world.run(lambda: not world.bench.contactor_is_closed(world.now), LIMIT_S)
        is_open = not world.bench.contactor_is_closed(world.now)
        return _outcome(began, told, (world.now - began) * 1e3 if is_open else None)

    return meet


def _visit() -> Visit:
    """Return a car that will charge for long, plugged in."""
    profile = CarProfile()
    world = World(fitting(profile, WorldSettings(has_exi=False)), 1)
    car = Car(profile, EV_MAC, Chance(1, "car"), exi=False)
    held = Held(car)
    world.park(held)
    world.drive(Plug())
    return Visit(world, car, held)


def _outcome(
    began: float, told: Sequence[tuple[float, str]], opened_ms: float | None
) -> Outcome:
    first_ms = (told[0][0] - began) * 1e3 if told else None
    return Outcome(first_ms, [name for _, name in told], opened_ms)


def breaks(fault: BenchFault | HatFault | DaemonFault) -> Callable[[], Outcome]:
    """Return a way to break something of the board."""
    return on_rig(lambda rig: rig.fail(fault))


def breaks_plant(fault: BenchFault) -> Callable[[], Outcome]:
    """Return a way to break something of the plant."""
    return in_world(lambda visit: visit.world.inject(fault))


def _weld(rig: Rig) -> None:
    rig.fail(BenchFault.CONTACTOR_WELDED)
    rig.want(READY)


def _stop_guard(rig: Rig) -> None:
    rig.is_guard_there = False


def _stop_main(rig: Rig) -> None:
    rig.is_main_there = False


def _stop_pi(rig: Rig) -> None:
    rig.fail(DaemonFault.FROZEN)
    _stop_guard(rig)


def _freeze(visit: Visit) -> None:
    visit.held.is_frozen = True


def _contradict(visit: Visit) -> None:
    """Let gpiozero see the stop pressed, and the guard not: for whatever reason."""
    world, witness = visit.world, Witness()

    def turn() -> None:
        witness.hear(Alive(), world.now)
        world.after(ALIVE_S, turn)

    def look() -> None:
        told = see(Sensed(is_closed=True, is_estop_released=False), world.now)
        if told is not None:
            world.tell(told)
        world.after(TICK_S, look)

    def see(seen: Sensed, at: float) -> SecondLook | None:
        return witness.saw(Reading(at, seen), world.station.guard, at)

    settled = world.now - SETTLED_S
    witness.hear(Alive(), settled)
    see(Sensed(is_closed=True, is_estop_released=True), settled)  # all was well
    world.after(ALIVE_S, turn)
    world.after(TICK_S, look)


GUARD, WATCHDOG = "guard: pilot", "the board's watchdog"
CABLE: Sequence[Case] = (
    Case("s2-opens", "the car opens S2 under load (C to B)", GUARD, 100, "",
         on_rig(lambda rig: rig.car(CarPilot.B))),
    Case("plug-torn-out", "the plug is torn out (C to A)", GUARD, 100, "",
         on_rig(lambda rig: rig.car(None))),
    Case("cp-short", "CP shorted to PE", GUARD, 100, "CP_DIODE",
         breaks(BenchFault.CP_SHORT)),
    Case("cp-short-behind-diode", "CP shorted behind the car's diode", GUARD, 100, "",
         breaks(BenchFault.CP_SHORT_BEHIND_DIODE)),
    Case("pe-lost", "PE or CP of the cable interrupted", GUARD, 100, "",
         breaks(BenchFault.PE_LOST)),
    Case("diode-short", "the car's diode shorted", "guard: diode", 100, "CP_DIODE",
         breaks(BenchFault.DIODE_SHORT)),
    Case("ventilation", "the car asks for ventilation, there is none", GUARD, 100, "",
         on_rig(lambda rig: rig.car(CarPilot.D))),
)  # fmt: skip
BOARD: Sequence[Case] = (
    Case("estop", "emergency stop pressed", "the chain, in hardware; guard", 100,
         "EMERGENCY_STOP", breaks(BenchFault.ESTOP)),
    Case("rcm", "residual current or isolation monitor trips",
         "the chain, in hardware; guard", 100, "RESIDUAL_CURRENT",
         breaks(HatFault.RCM_TRIPPED)),
    Case("hot", "a contact of the plug too hot", "guard: temperature", 100,
         "TEMPERATURE", breaks(HatFault.HOT)),
    Case("sensor-open", "a temperature sensor broken", "guard: temperature", 100,
         "TEMPERATURE", breaks(HatFault.SENSOR_OPEN)),
    Case("welded", "the contactor welded, and told to open", "guard: mirror contact",
         None, "CONTACTOR_WELDED", on_rig(_weld)),
    Case("drops-out", "the contactor drops out by itself", "guard: mirror contact", 100,
         "CONTACTOR_STUCK_OPEN", breaks(BenchFault.CONTACTOR_STUCK_OPEN)),
    Case("brown-out", "the rails sag", "driver: rails; guard: diode", 100,
         "CP_DIODE", breaks(HatFault.BROWN_OUT)),
    Case("adc-stuck", "the converter reads 0 on all channels",
         "driver: rails; guard: temperature", 100, "TEMPERATURE",
         breaks(BenchFault.ADC_STUCK)),
    Case("adc-offset", "the converter is off by 60 codes", "driver: rails", 100,
         "BOARD_LOST", breaks(HatFault.ADC_OFFSET)),
    Case("pwm-stuck", "the line of the PWM stuck low: CP at -12 V",
         "guard: pilot; driver: raw readings", 400, "BOARD_LOST",
         breaks(HatFault.PWM_STUCK_LOW)),
    Case("input-stuck", "the guard reads a pressed stop as released",
         "panel: gpiozero reads it, too", 3000, "BOARD_LOST", in_world(_contradict)),
)  # fmt: skip
PROGRAMS: Sequence[Case] = (
    Case("daemon-dead", "pigpio's daemon dies", f"driver; {WATCHDOG}", 300,
         "BOARD_LOST", breaks(DaemonFault.DEAD)),
    Case("daemon-frozen", "pigpio's daemon hangs", f"driver; {WATCHDOG}", 300,
         "BOARD_LOST", breaks(DaemonFault.FROZEN)),
    Case("daemon-slow", "its answers come late", f"driver; {WATCHDOG}", 300,
         "BOARD_LOST", breaks(DaemonFault.SLOW)),
    Case("daemon-wrong", "its answers are those of others", f"driver; {WATCHDOG}", 300,
         "BOARD_LOST", breaks(DaemonFault.WRONG)),
    Case("daemon-refusing", "its answers are errors", f"driver; {WATCHDOG}", 300,
         "BOARD_LOST", breaks(DaemonFault.REFUSING)),
    Case("guard-gone", "the guard killed, or hung", WATCHDOG, 300, "",
         on_rig(_stop_guard)),
    Case("pi-hangs", "the whole Pi hangs", WATCHDOG, 300, "", on_rig(_stop_pi)),
    Case("main-hangs", "the main program hangs", "guard: lease", 350,
         "LEASE_LOST", on_rig(_stop_main)),
)  # fmt: skip
PLANT: Sequence[Case] = (
    Case("supply-silent", "the supply reports no more", "station: power path", 1000,
         "SUPPLY_STALE", breaks_plant(BenchFault.SUPPLY_SILENT)),
    Case("supply-dies", "the supply gives nothing more, and goes on reporting",
         "station: power path", 11_500, "SUPPLY_SLOW",
         breaks_plant(BenchFault.SUPPLY_DEAD)),
    Case("supply-overshoots", "the supply gives more than it is told",
         "station: power path", 1500, "OVERCURRENT",
         breaks_plant(BenchFault.SUPPLY_OVERSHOOT)),
    Case("isolation-fault", "the insulation to earth fails", "station: power path",
         2000, "ISOLATION", breaks_plant(BenchFault.ISOLATION_FAULT)),
    Case("isolation-silent", "the isolation monitor has no verdict",
         "station: power path", 12_000, "ISOLATION_TIMEOUT",
         breaks_plant(BenchFault.ISOLATION_SILENT)),
    Case("line-cut", "the powerline link is lost", "station: modem", 10_000, "",
         in_world(lambda visit: visit.world.medium.cut(EV))),
    Case("connection-lost", "the car closes the connection", "station: TCP", 2000, "",
         in_world(lambda visit: visit.world.drop_connection())),
    Case("car-silent", "the car asks for nothing more", "station: sequence timer",
         65_000, "", in_world(_freeze)),
    Case("unplugged", "the plug is pulled, whole station", "guard, then station", 100,
         "", in_world(lambda visit: visit.world.drive(Unplug()))),
    Case("user-stop", "somebody presses stop", "station", 10_000, "",
         in_world(lambda visit: visit.world.tell(StopRequested(StopCause.USER)))),
)  # fmt: skip
TABLES = {
    "Cable and car": CABLE,
    "Board": BOARD,
    "Daemon and programs": PROGRAMS,
    "Supply, line and session": PLANT,
}
CASES = [case for table in TABLES.values() for case in table]


def line(case: Case, outcome: Outcome) -> str:
    """Return the case's line of the page."""
    told = "-" if outcome.told_ms is None else f"{outcome.told_ms:.0f}"
    opened = "-" if outcome.opened_ms is None else f"{outcome.opened_ms:.0f}"
    limit = "-" if case.opens is None else f"{case.opens:g}"
    named = ", ".join(dict.fromkeys(outcome.told)) or "-"
    cells = (case.fault, case.seen_by, named, told, opened, limit, f"`{case.name}`")
    return f"| {' | '.join(cells)} |\n"


def page() -> str:
    """Measure everything; return the page."""
    parts = [NOTE, HEAD]
    for title, cases in TABLES.items():
        parts += [f"\n## {title}\n\n", COLUMNS, "|" + " --- |" * 7 + "\n"]
        parts += [line(case, case.meet()) for case in cases]
    return "".join(parts)


COLUMNS = (
    "| fault | seen by | told as | told, ms | contactor open, ms | limit, ms | case |\n"
)
HEAD = """# Single faults

What happens when one thing breaks while a car charges, measured in virtual time by
`tests/single_faults.py`; each line is a case of `test_single_fault_makes_safe`. Board,
daemon and car are those of the twin, driver, guard and station the real ones; the relay
takes 20 ms to open. `-` is never: a welded contactor does not open, so the supply's
enable line is cut and the station stays out of service. Where only the board's watchdog
is left, its 250 ms are the limit, and the relay's time comes on top. A PWM line stuck
low is the slowest of the board: the level held of the pulse leaks only slowly into
another state, and a thousand raw readings must have missed it before they are believed.
The car sees that at once. The driver is that for pigpio; what differs with the kernel's
interfaces is measured in `tests/hat/test_kernel_faults.py`.

Not here, because it takes real processes: the main program killed
(`test_killed_station_leaves_nothing_closed`), the guard stopped and killed, and all of
it with busy cores (`python -m tests.bench_hat`).
"""

if __name__ == "__main__":
    sys.stdout.write(page())
