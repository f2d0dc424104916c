"""What must hold after every event, whatever happens.

Breaking one is a defect of ours, never of the car; each is told with time and facts.
A rule says until when it holds if nothing changes: ``_ALWAYS`` where only a change can
break it, now where it must be looked at again at the next event, ``_BROKEN`` if it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING

from pilothat.exi.codec import ExiError
from pilothat.pilot.duty import DIGITAL_PCT, FAULT_PCT
from pilothat.pilot.levels import PilotLevel, PilotSample, classify
from pilothat.plant import OFF, SAFE_V, Setpoint
from pilothat.power.limits import trip_voltage_v
from pilothat.station.phases import Phase
from pilothat.v2g import tp
from pilothat.v2g.messages import codec, din, iso2

if TYPE_CHECKING:
    from pilothat.twin.world import World

CP_LOST_S = 0.1  # the contactor is open this long after CP has left C and D
GAP_S = 0.1  # how long a level between two bands keeps the last state
LIVE_AFTER_S = 6.0  # voltage on an unplugged outlet, at most
ANSWER_S = 1.6  # every request is answered, or the connection is closed
SET_SLACK = 1e-6
SILENT_S = 65.0  # sequence time, and a stalled program
OFF_S = 0.5  # from an open contactor to a set-point of zero
CURRENT_A = 5.0  # what still counts as a current
FALLS_S = (0.02, 0.1)  # after the supply was cut: its rest may flow under F
_MAX_VIOLATIONS = 20
_TIMED = (Phase.MATCHING, Phase.SETUP, Phase.SESSION, Phase.STOPPING, Phase.RETRY)
_ALWAYS, _BROKEN = inf, -inf
_ROUNDING_S = 1e-9  # of a time that was added up: looked at sooner, never later

Rule = Callable[[float], float]  # from the time now


class Watch:
    """Rules that the same changes can break."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = tuple(rules.items())
        self.calm_until = _BROKEN  # all rules hold until then, if nothing changes

    def stir(self) -> None:
        """Note that something may have changed."""
        self.calm_until = _BROKEN

    def look(self, now: float) -> Iterable[str]:
        """Return which rules are broken."""
        calm_until = _ALWAYS
        broken: tuple[str, ...] = ()
        for name, holds in self._rules:
            until = holds(now)
            if until < calm_until:
                calm_until = until
            if until == _BROKEN:
                broken = (*broken, name)
        self.calm_until = calm_until - _ROUNDING_S
        return broken


class Invariants:
    """Look at a world and remember what was wrong."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock, self._guard, self._station = (
            world.clock,
            world.guard,
            world.station,
        )
        self.violations: list[str] = []
        self.is_excused = False  # the bench is broken in a way no software mends
        self._left_c_at: float | None = 0.0
        self._unplugged_at: float | None = 0.0
        self._asked: list[tuple[float, bytes]] = []  # when, and what
        self._heard_at = 0.0  # the car spoke last
        self._stalled_at = 0.0  # the main program hung, last
        self._setpoint = OFF
        self._is_fed = False  # the supply is enabled
        self._fed_at = 0.0  # it was cut, last
        self._opened_at: float | None = 0.0  # the contactor was told to open
        self.station = Watch(
            {
                "contactor driven closed while a fault stands": self._obeys_faults,
                "a phase without a deadline": self._has_deadline,
                "a request without an answer": self._answers,
                "a silent car that is waited for": self._is_silence_ended,
            }
        )
        self._power = Watch(
            {
                "contactor driven closed without C or D": self._is_driven_rightly,
                "contactor closed 100 ms after CP left C and D": self._is_open_in_time,
                "voltage on an unplugged outlet": self._is_unplugged_safe,
                "a set-point behind an open contactor": self._is_idle_when_open,
                "state F while current flows": self._is_pilot_kept_under_current,
            }
        )

    def stir(self) -> None:
        """Note that something may have changed on bench or guard."""
        self._power.stir()
        self.station.stir()

    def check(self) -> None:
        """Look at everything that is not known to hold until later."""
        now = self._clock.now
        if now > self.station.calm_until:
            self._look(self.station, now)
        if now > self._power.calm_until:
            self._look(self._power, now)

    def _look(self, watch: Watch, now: float) -> None:
        for name in watch.look(now):
            self._broken(name)

    def pilot_is(self, sample: PilotSample) -> None:
        """Note what is really on the pilot, not what the guard makes of it."""
        self.stir()
        level, now = classify(sample.high_v), self._world.now
        is_gap = level is None and sample.high_v > PilotLevel.E.value[0]
        since = now + GAP_S if is_gap else now
        if level in (PilotLevel.C, PilotLevel.D):
            self._left_c_at = None
        elif self._left_c_at is None or since < self._left_c_at:
            self._left_c_at = since
        if level is not PilotLevel.A:
            self._unplugged_at = None
        elif self._unplugged_at is None:
            self._unplugged_at = now

    def commanded(self, setpoint: Setpoint) -> None:
        """Look at a set-point for the supply."""
        self._power.stir()
        self._setpoint = setpoint
        station, limits = self._world.station, self._world.settings.station.ratings
        path = station.path
        cap_v = min(limits.max_v, trip_voltage_v(limits, path.ev))
        cap_w = setpoint.voltage_v * setpoint.current_a
        if (
            setpoint.voltage_v > cap_v + SET_SLACK
            or setpoint.current_a
            > min(limits.max_a, max(path.ev.max_a, 2.0)) + SET_SLACK
            or cap_w > max(limits.max_w, 0.0) + 1.0
            or min(setpoint.voltage_v, setpoint.current_a) < 0
        ):
            self._broken(f"set-point {setpoint} above a limit")

    def connected(self) -> None:
        """Note a new connection: nothing is owed on it."""
        self._asked.clear()
        self._heard_at = self._world.now

    def asked(self, data: bytes = b"") -> None:
        """Note a request that reached the station; its bytes, if it came as such."""
        self._heard_at = self._world.now
        if self._world.station.talk.is_connected:
            for piece in _pieces(data) if data else (data,):
                self._asked.append((self._heard_at, piece))

    def answered(self) -> None:
        """Note an answer of the station."""
        if not self._asked:
            self._broken("an answer without a request")
            return
        while len(self._asked) > 1 and not self._is_owed():
            del self._asked[0]
        del self._asked[0]

    def closed(self, connection: int) -> None:
        """Look at a connection that the station closes: 5 % must be off before."""
        world = self._world
        is_talk = connection == world.network.connection
        if is_talk and world.guard.driven.duty_pct == DIGITAL_PCT:
            self._broken("connection closed by the station while 5 % is on")

    def _broken(self, what: str) -> None:
        world = self._world
        station = world.station
        told = f"{what} ({station.phase.value}, path {station.path.phase.value})"
        if len(self.violations) < _MAX_VIOLATIONS:
            self.violations.append(f"t={world.now:.4f} s: {told}")

    def _is_driven_rightly(self, _now: float) -> float:
        if not self._guard.driven.is_contactor_closed:
            return _ALWAYS
        pilot = self._guard.pilot
        is_right = pilot.state.wants_energy and not pilot.is_diode_bad
        return _ALWAYS if is_right else _BROKEN

    def _is_open_in_time(self, now: float) -> float:
        if self.is_excused:
            return now
        if self._left_c_at is None or not self._world.bench.contactor_is_closed(now):
            return _ALWAYS
        is_early = now - self._left_c_at <= CP_LOST_S
        return self._left_c_at + CP_LOST_S if is_early else _BROKEN

    def _obeys_faults(self, _now: float) -> float:
        station = self._station
        if station.faults.first is None or station.phase is Phase.STOPPING:
            return _ALWAYS
        return _BROKEN if self._guard.driven.is_contactor_closed else _ALWAYS

    def _has_deadline(self, _now: float) -> float:
        is_timed = self._station.phase in _TIMED
        return _BROKEN if is_timed and not self._world.has_deadline() else _ALWAYS

    def _is_unplugged_safe(self, now: float) -> float:
        if self.is_excused:
            return now
        if self._unplugged_at is None:
            return _ALWAYS
        if now - self._unplugged_at <= LIVE_AFTER_S:
            return self._unplugged_at + LIVE_AFTER_S
        return now if self._world.bench.inlet(now)[0] < SAFE_V else _BROKEN

    def _answers(self, now: float) -> float:
        is_stalled = self._world.is_main_stalled
        if is_stalled:
            self._stalled_at = now
        if not self._asked or not self._station.talk.is_connected:
            self._asked.clear()
            return now if is_stalled else _ALWAYS
        since = max(self._asked[0][0], self._stalled_at)
        if now - since <= ANSWER_S:
            return now if is_stalled else since + ANSWER_S
        if self._is_owed():
            return _BROKEN
        del self._asked[0]
        return now

    def _is_owed(self) -> bool:
        """Tell whether the oldest of the requests must be answered at all.

        What a session cannot read as a request it rightly ignores.
        """
        data = self._asked[0][1]
        has_session = self._world.station.talk.session is not None
        return not (data and has_session) or is_request(data)

    def _is_silence_ended(self, now: float) -> float:
        """Give up a session in which nothing was asked for a minute."""
        if self._station.phase is not Phase.SESSION:
            return _ALWAYS
        is_silent = now - self._heard_at > SILENT_S
        return _BROKEN if is_silent else self._heard_at + SILENT_S

    def _is_idle_when_open(self, now: float) -> float:
        """Want nothing of the supply soon after the contactor was told to open."""
        if self._guard.driven.is_contactor_closed or self._world.is_main_stalled:
            self._opened_at = None
            return _ALWAYS
        if self._opened_at is None:
            self._opened_at = now
        if not self._setpoint.is_on:
            return _ALWAYS
        is_early = now - self._opened_at <= OFF_S
        return self._opened_at + OFF_S if is_early else _BROKEN

    def _is_pilot_kept_under_current(self, now: float) -> float:
        """Keep the car able to read the pilot until its current is gone."""
        driven = self._guard.driven
        if self._is_fed or driven.is_supply_enabled:
            self._is_fed, self._fed_at = driven.is_supply_enabled, now
        if self.is_excused:
            return now
        if driven.duty_pct != FAULT_PCT:
            return _ALWAYS
        is_falling = FALLS_S[0] <= now - self._fed_at <= FALLS_S[1]
        is_kept = is_falling or self._world.bench.inlet(now)[1] <= CURRENT_A
        return now if is_kept else _BROKEN


_MESSAGES: Mapping[str, type] = {"din": din.Request, "iso2": iso2.Request}


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield the messages that came in one piece, each with its header."""
    while len(data) > tp.HEADER.size:
        end = tp.HEADER.size + tp.HEADER.unpack_from(data)[-1]
        if end >= len(data):
            break
        yield data[:end]
        data = data[end:]
    yield data


def is_request(data: bytes) -> bool:
    """Tell whether the bytes are a request that a session must answer."""
    frames = tp.Reader().feed(data)
    exi = tp.PayloadType.EXI
    return any(_is_request(f.payload) for f in frames if f.payload_type == exi)


def _is_request(payload: bytes) -> bool:
    for name, kinds in _MESSAGES.items():
        try:
            body = getattr(codec(name).decode(payload), "body", None)
        except ExiError:
            continue
        if isinstance(body, kinds):
            return True
    return False
