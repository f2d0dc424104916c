"""The demo on a terminal, drawn with rich.

``render`` is a pure function of a snapshot and a size; ``Live`` repaints it. Imported
only where a terminal is there and rich is installed.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pilothat.frozen import dataclass
from pilothat.service.chart import DOTS_WIDE, Point, ceiling, plot, resample
from pilothat.service.console import clock
from pilothat.service.story import CHARGING, Snapshot, Story

LEAST_WIDTH, LEAST_HEIGHT = 60, 20  # below this only figures are shown
_BORDERS = 2
_FIGURES = 6  # rows of the two panels side by side
_FAULT = 2
_LEAST_LOG = 3  # with its border
_LEAST_CHART = 2
_GOOD_CHART = 3
_AXIS = 7  # columns of a chart's labels
_LABEL = 10

# what a visit consists of, in order, and the steps of the station that belong to it
MILESTONES: Sequence[tuple[str, Sequence[str]]] = (
    ("plug in", ("starting", "idle")),
    ("match", ("matching", "retry")),
    ("connect", ("setup", "session")),
    ("check", ("cable check", "isolation good")),
    ("precharge", ("precharge",)),
    ("charge", ("basic charging", "closing", CHARGING)),
    ("stop", ("ramping down", "opening", "welding check", "stopping")),
    ("leave", ("paused", "finished", "out of service")),
)
_PLACES: Mapping[str, int] = {
    step: place for place, (_, steps) in enumerate(MILESTONES) for step in steps
}
_ONLY_DC = ("check", "precharge")
_CONNECT = 2  # a session without power is before the charge, or after it
_STOP = 6


class Live:
    """A screen of its own, repainted when told; what was there before comes back."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = RichLive(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._last: Snapshot | None = None
        # whoever ends us gets the terminal back, as with Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._live.start()

    def show(self, story: Story, pace: float, /) -> None:
        """Paint the moment."""
        self._last = story.snapshot()
        width, height = self._console.size
        self._live.update(render(self._last, pace, width, height), refresh=True)

    def close(self) -> None:
        """Give the screen back, with the last picture on it."""
        self._live.stop()
        if self._last is not None:
            width, height = self._console.size
            self._console.print(render(self._last, 0.0, width, min(height, 24)))


def render(seen: Snapshot, pace: float, width: int, height: int) -> RenderableType:
    """Return the picture of a moment, ``width`` columns by ``height`` rows.

    pace: virtual seconds a second, for the title; 0 is not shown
    """
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return Group(_title(seen, pace, width), *_small(seen))
    rows = _divide(height, has_fault=bool(seen.faults))
    left = width * 4 // 7
    figures = Table.grid(padding=0)
    figures.add_row(_station(seen, left), _car(seen, width - left))
    parts: list[RenderableType] = [_title(seen, pace, width), _milestones(seen)]
    if seen.faults:
        parts.append(_fault(seen))
    parts.append(figures)
    if rows.chart:
        parts.append(_chart(seen, width, rows.chart))
    parts.append(_log(seen, rows.log))
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class _Rows:
    """How high it may be. chart: rows of each of the two; log: with its border."""

    chart: int
    log: int


def _divide(height: int, *, has_fault: bool) -> _Rows:
    """Share the rows of the screen out; a fault counts more than the charts."""
    free = height - 2 - (_FIGURES + _BORDERS)  # title and milestones
    free -= _FAULT + _BORDERS if has_fault else 0
    room = free - _LEAST_LOG - _BORDERS  # for two charts
    if room < 2 * _LEAST_CHART:
        return _Rows(0, free)
    chart = min(_GOOD_CHART, room // 2) + max(room - 2 * _GOOD_CHART - 5, 0) // 4
    return _Rows(chart, free - _BORDERS - 2 * chart)


def _title(seen: Snapshot, pace: float, width: int) -> Text:
    speed = f"  x{pace:.0f}" if pace >= 10 else f"  x{pace:.1f}" if pace else ""
    time = f"{clock(seen.at_s)}{speed}"
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append("PilotHAT demo", "bold")
    title.append(f"  {seen.car}: {seen.about}")
    title.truncate(width - len(time) - 2, overflow="ellipsis", pad=True)
    title.append(f"  {time}", "bold")
    return title


def _milestones(seen: Snapshot) -> Text:
    """Return the way of a visit, and how far it has come."""
    place = _place(seen)
    line = Text(no_wrap=True, overflow="crop")
    for index, (name, steps) in enumerate(MILESTONES):
        if name in _ONLY_DC and not seen.is_dc:
            continue
        if index < place and any(step in steps for step in seen.steps):
            line.append(f"● {name}  ", "green")
        elif index < place:
            line.append(f"- {name}  ", "dim")
        elif index == place:
            line.append(f"◐ {name}  ", "bold cyan")
        else:
            line.append(f"○ {name}  ", "dim")
    return line


def _place(seen: Snapshot) -> int:
    if seen.has_left:
        return len(MILESTONES)
    place = _PLACES.get(seen.step, 0)
    return _STOP if place == _CONNECT and seen.charging_s else place


def _station(seen: Snapshot, width: int) -> Panel:
    sounded = f"{seen.sounds} sounds" if seen.sounds else seen.slac
    if seen.mean_db is not None:
        sounded += f", {seen.mean_db:.1f} dB, {seen.slac}"
    pwm = "steady" if seen.duty_pct in (0.0, 100.0) else f"PWM {seen.duty_pct:.0f} %"
    message = f"{seen.message} ({seen.requests})" if seen.message else "-"
    rows = (
        ("phase", seen.step, "bold cyan"),
        ("pilot", f"state {seen.pilot}, {seen.cp_v:.1f} V, {pwm}", ""),
        ("SLAC", sounded, ""),
        ("message", message, ""),
        ("contactor", *_switched("closed", "open", is_on=seen.is_contactor_closed)),
        ("supply", *_switched("on", "off", is_on=seen.is_supply_on)),
    )
    return _figures("station", rows, width)


def _switched(on: str, off: str, *, is_on: bool) -> tuple[str, str]:
    return (on, "bold yellow") if is_on else (off, "")


def _car(seen: Snapshot, width: int) -> Panel:
    cells = max(width - _LABEL - 16, 4)
    full = round(seen.soc_pct / 100 * cells)
    bar = "█" * full + "░" * (cells - full)
    power_kw = seen.voltage_v * seen.current_a / 1000
    rows = (
        ("battery", f"{bar} {seen.soc_pct:5.1f} %", "green"),
        ("voltage", f"{seen.voltage_v:8.1f} V", ""),
        ("current", f"{seen.current_a:8.1f} A", ""),
        ("power", f"{power_kw:8.1f} kW", "bold"),
        ("energy", f"{seen.energy_wh / 1000:8.2f} kWh", "bold"),
        ("charging", f"{clock(seen.charging_s):>8}", ""),
    )
    return _figures("car", rows, width)


def _figures(title: str, rows: Sequence[tuple[str, str, str]], width: int) -> Panel:
    lines = Text(no_wrap=True, overflow="ellipsis")
    for label, value, style in rows:
        lines.append(f"{label:<{_LABEL}}", "dim")
        lines.append(f"{value}\n", style)
    lines.right_crop(1)
    return _panel(title, lines, _FIGURES, width=width)


def _panel(
    title: str, content: RenderableType, rows: int, *, width: int | None = None
) -> Panel:
    return Panel(
        content,
        title=title,
        title_align="left",
        border_style="dim",
        height=rows + _BORDERS,
        width=width,
    )


def _chart(seen: Snapshot, width: int, rows: int) -> Panel:
    """Return voltage and current over the time that has passed."""
    columns = (width - _BORDERS - 2 - _AXIS) * DOTS_WIDE
    voltage = [Point(sample.at_s, sample.voltage_v) for sample in seen.samples]
    current = [Point(sample.at_s, sample.current_a) for sample in seen.samples]
    lines = Text(no_wrap=True, overflow="crop")
    for points, unit, style in ((voltage, "V", "cyan"), (current, "A", "yellow")):
        top = ceiling(max((point.value for point in points), default=0.0))
        drawn = plot(resample(points, columns), rows, top) or [""] * rows
        labels = [f"{top:g} {unit}", *[""] * (rows - 2), f"0 {unit}"]
        for label, line in zip(labels, drawn, strict=True):
            lines.append(f"{label:>{_AXIS - 1}} ", "dim")
            lines.append(f"{line}\n", style)
    lines.right_crop(1)
    return _panel("voltage and current at the outlet", lines, 2 * rows)


def _log(seen: Snapshot, height: int) -> Panel:
    """Return the newest events, the last one at the bottom."""
    rows = height - _BORDERS
    lines = Text(no_wrap=True, overflow="ellipsis")
    for line in seen.log[-rows:]:
        lines.append(f"{line.at_s:9.2f} s  ", "dim")
        lines.append(f"{line.text}\n")
    lines.right_crop(1)
    return _panel("events", lines, rows)


def _fault(seen: Snapshot) -> Panel:
    """Return what came up first, and what a person does about it."""
    fault, count = seen.faults[0], len(seen.faults)
    lines = Text(no_wrap=True, overflow="ellipsis")
    lines.append(f"{fault.name}: {fault.row.meaning}\n", "bold red")
    lines.append(f"  {fault.row.remedy}")
    return _panel("fault" if count == 1 else f"fault 1 of {count}", lines, _FAULT)


def _small(seen: Snapshot) -> Sequence[Text]:
    """Return the figures alone, for a small terminal."""
    power_kw = seen.voltage_v * seen.current_a / 1000
    lines = [
        f"{seen.step}, pilot {seen.pilot} {seen.cp_v:.1f} V",
        f"{seen.voltage_v:.1f} V {seen.current_a:.1f} A {power_kw:.1f} kW",
        f"battery {seen.soc_pct:.1f} %, {seen.energy_wh / 1000:.2f} kWh",
        *[f"{fault.name}: {fault.row.remedy}" for fault in seen.faults[:1]],
    ]
    return [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
