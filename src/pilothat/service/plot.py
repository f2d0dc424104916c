"""Draw a recorded charge: voltage, current, power and SoC over time, with its phases.

What happens before a charge takes seconds, the charge itself an hour; so the beginning
gets a column of its own with its own scale. matplotlib is an optional package, imported
only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pilothat.errors import ConfigError, PilotHatError
from pilothat.traffic.trace import CHARGE, UNITS, Band, Curve, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'pilothat[plot]'"
ENDINGS = (".png", ".svg", ".pdf")
WIDTH_IN, PANEL_IN, HEAD_IN, FOOT_IN, DPI = 10.0, 1.6, 1.25, 0.9, 150
LEFT, RIGHT = 0.08, 0.985  # of the panels, shares of the width
MINUTES_FROM_S = 600.0
MOST_BEGINNING = 0.35  # share of the whole from which it needs no column of its own
BEGINNING_WIDTH, REST_WIDTH = 0.45, 0.55
LEAST_FLAT, LEAST_UPRIGHT_IN = 0.2, 0.11  # room a name needs: share of 5 in; inches
_INK = "#222222"

# colours that differ in print and for the colour-blind; targets lie behind, dashed
_LINES: Mapping[str, Mapping[str, object]] = {
    "target": {"color": "#d55e00", "linewidth": 1.1, "linestyle": (0, (4, 2))},
    "limit": {"color": "#d55e00", "linewidth": 1.1, "linestyle": (0, (4, 2))},
    "present": {"color": "#0050a0", "linewidth": 1.5},
}
_BANDS: Mapping[str, str] = {
    "SLAC": "#dcdcdc",
    "SDP": "#b8b8b8",
    "handshake": "#98a4bd",
    "setup": "#cfd8ec",
    "authorisation": "#e6d4ea",
    "parameters": "#f6d9c6",
    "cable check": "#fbf0bd",
    "precharge": "#f9d9a0",
    "charge": "#e3f1e0",
    "stop": "#f3cfcf",
}

_PROTOCOLS: Mapping[str, str] = {"din": "DIN SPEC 70121", "iso2": "ISO 15118-2"}
_ISO20 = "ISO 15118-20"


class View(NamedTuple):
    """A stretch of time that is drawn in one column. scale_s: of one unit, s."""

    since_s: float
    until_s: float
    share: float = 1.0  # of the width

    @property
    def scale_s(self) -> float:
        return 60.0 if self.until_s - self.since_s > MINUTES_FROM_S else 1.0


def check(path: Path) -> None:
    """Raise PilotHatError where a picture cannot be drawn, or not with this name."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"ends with none of {', '.join(ENDINGS)}", where=str(path))
    try:
        import matplotlib as mpl  # noqa: PLC0415 (optional, and slow to import)
    except ImportError as error:
        told = "matplotlib is not installed"
        raise PilotHatError(told, where="--plot", remedy=INSTALL) from error
    mpl.rcParams["svg.hashsalt"] = "pilothat"  # the same picture, the same file
    mpl.rcParams["svg.fonttype"] = "none"


def draw(trace: Trace, path: Path, *, title: str) -> None:
    """Write a picture of a charge; ``check`` goes before. Raises PilotHatError."""
    quantities = [one for one in UNITS if any(key[0] == one for key in trace.curves)]
    if not quantities or not trace.bands:
        told = "no voltage, current or SoC with a time in it, nothing to draw"
        raise PilotHatError(told, where="--plot")
    figure = _sheet(len(quantities))
    views = _views(trace.bands)
    columns = _columns(figure, len(quantities), [view.share for view in views])
    for view, column in zip(views, columns, strict=True):
        for quantity, panel in zip(quantities, column, strict=True):
            _panel(panel, quantity, trace, view.scale_s)
        _phases(column, trace.bands, view)
    for quantity, panel in zip(quantities, columns[0], strict=True):
        panel.set_ylabel(f"{quantity}, {UNITS[quantity]}")
    figure.align_ylabels(columns[0])
    _explain(figure, columns[0], trace, title)
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
    try:
        figure.savefig(path, dpi=DPI, metadata=metadata)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error})", where=str(path)) from error


def _views(bands: Sequence[Band]) -> Sequence[View]:
    """Return what is drawn side by side: the beginning, and the charge."""
    start_s, end_s = bands[0].since_s, bands[-1].until_s
    charge_s = next((one.since_s for one in bands if one.phase == CHARGE), start_s)
    if 0 < charge_s - start_s < MOST_BEGINNING * (end_s - start_s):
        return (
            View(start_s, charge_s, BEGINNING_WIDTH),
            View(charge_s, end_s, REST_WIDTH),
        )
    return (View(start_s, max(end_s, start_s + 1.0)),)


def _sheet(rows: int) -> Figure:
    from matplotlib.backends.backend_agg import (  # noqa: PLC0415 (see check)
        FigureCanvasAgg,
    )
    from matplotlib.figure import Figure as Sheet  # noqa: PLC0415 (see check)

    height_in = HEAD_IN + PANEL_IN * rows + FOOT_IN
    figure = Sheet(figsize=(WIDTH_IN, height_in), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _columns(
    figure: Figure, rows: int, shares: Sequence[float]
) -> Sequence[Sequence[Axes]]:
    """Return the panels, column by column, with one scale in each row and column."""
    height_in = figure.get_figheight()
    grid = figure.add_gridspec(
        rows,
        len(shares),
        width_ratios=shares,
        left=LEFT,
        right=RIGHT,
        top=1 - HEAD_IN / height_in,
        bottom=FOOT_IN / height_in,
        hspace=0.12,
        wspace=0.03,
    )
    columns: list[list[Axes]] = []
    for number in range(len(shares)):
        column: list[Axes] = []
        for row in range(rows):
            over = column[0] if column else None
            beside = columns[0][row] if columns else None
            place = grid[row, number]
            panel = figure.add_subplot(place, sharex=over, sharey=beside)
            panel.tick_params(labelleft=not columns, labelbottom=row == rows - 1)
            column.append(panel)
        columns.append(column)
    return columns


def _panel(panel: Axes, quantity: str, trace: Trace, scale_s: float) -> None:
    panel.grid(visible=True, color="#b8b8b8", linewidth=0.4)
    panel.tick_params(colors=_INK, labelsize=9)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    names = [name for name in _LINES if (quantity, name) in trace.curves]
    for name in names:
        _line(panel, trace.curves[quantity, name], name, scale_s)
    found = [v for name in names for v in trace.curves[quantity, name].values]
    values = [0.0, *filter(isfinite, found)]
    high = 100.0 if quantity == "SoC" else max(values)
    margin = 0.02 * (high - min(values))
    panel.set_ylim(min(values) - margin, high + 4 * margin or 1.0)


def _line(panel: Axes, curve: Curve, name: str, scale_s: float) -> None:
    times = [at_s / scale_s for at_s in curve.times_s]
    panel.plot(times, curve.values, label=name, **_LINES[name])  # type: ignore[arg-type]


def _phases(column: Sequence[Axes], bands: Sequence[Band], view: View) -> None:
    """Lay the phases behind the panels, their names above them where they fit."""
    since, until = view.since_s / view.scale_s, view.until_s / view.scale_s
    for band in bands:
        start, end = band.since_s / view.scale_s, band.until_s / view.scale_s
        for panel in column:
            colour = _BANDS.get(band.phase, "white")
            panel.axvspan(start, end, color=colour, zorder=0, lw=0)
        seen = min(end, until) - max(start, since)
        share = seen / (until - since) * view.share
        if share * 2 >= LEAST_FLAT or share * WIDTH_IN >= LEAST_UPRIGHT_IN:
            middle = (max(start, since) + min(end, until)) / 2
            _name(column[0], band.phase, middle, is_upright=share * 2 < LEAST_FLAT)
    column[0].set_xlim(since, until)
    unit = "min" if view.scale_s > 1 else "s"
    column[-1].set_xlabel(f"time, {unit}")


def _name(panel: Axes, phase: str, middle: float, *, is_upright: bool) -> None:
    panel.annotate(
        phase,
        (middle, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        rotation=90 if is_upright else 0,
        fontsize=8,
        color=_INK,
    )


def _explain(figure: Figure, column: Sequence[Axes], trace: Trace, title: str) -> None:
    """Write the title, what the lines mean, and how long each phase took."""
    from matplotlib.patches import Patch  # noqa: PLC0415 (see check)

    names = dict.fromkeys(_PROTOCOLS.get(one, _ISO20) for one in trace.protocols)
    top = 1 - 0.1 / figure.get_figheight()
    text = "    ".join((title, *names))
    figure.text(LEFT, top, text, ha="left", va="top", fontsize=11, color=_INK)
    lines = {str(x.get_label()): x for panel in column for x in panel.get_lines()}
    figure.legend(
        [lines[name] for name in _LINES if name in lines],
        [name for name in _LINES if name in lines],
        loc="upper right",
        bbox_to_anchor=(RIGHT, top + 0.005),
        ncols=len(_LINES),
        fontsize=9,
        frameon=False,
    )
    lasting = _lasting(trace.bands)
    figure.legend(
        [Patch(color=_BANDS.get(phase, "white")) for phase in lasting],
        [f"{phase} {_duration(seconds)}" for phase, seconds in lasting.items()],
        loc="lower left",
        bbox_to_anchor=(LEFT - 0.01, 0.0),
        ncols=5,
        fontsize=8,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.6,
    )


def _lasting(bands: Sequence[Band]) -> Mapping[str, float]:
    """Return how long each phase took, s, all of its times together."""
    sums: dict[str, float] = {}
    for band in bands:
        sums[band.phase] = sums.get(band.phase, 0.0) + band.until_s - band.since_s
    return sums


def _duration(seconds: float) -> str:
    if seconds >= MINUTES_FROM_S:
        return f"{seconds / 60:.1f} min"
    if seconds >= 1:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms"
