"""Draw a recorded charge: voltage, current, power and SoC over time, with its phases.

matplotlib is an optional package, imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from pilothat.errors import ConfigError, PilotHatError
from pilothat.traffic.trace import UNITS, Band, Curve, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INSTALL = "pip install 'pilothat[plot]'"
ENDINGS = (".png", ".svg", ".pdf")
WIDTH_IN, PANEL_IN, FRAME_IN, DPI = 10.0, 1.75, 1.5, 150
MINUTES_FROM_S = 600.0
LEAST_LABEL = 0.075  # share of the width that a phase needs for its name
_PRESENT, _TARGET, _LIMIT = "present", "target", "limit"
_INK, _MARGIN = "#222222", 0.08

# colours that differ in print and for the colour-blind; targets lie behind, dashed
_LINES: Mapping[str, Mapping[str, object]] = {
    _TARGET: {"color": "#d55e00", "linewidth": 1.1, "linestyle": (0, (4, 2))},
    _LIMIT: {"color": "#d55e00", "linewidth": 1.1, "linestyle": (0, (4, 2))},
    _PRESENT: {"color": "#0050a0", "linewidth": 1.5},
}
_BANDS: Mapping[str, str] = {
    "SLAC": "#d9d9d9",
    "SDP": "#b0b0b0",
    "handshake": "#8f9bb3",
    "setup": "#cfd8ec",
    "authorisation": "#e6d4ea",
    "parameters": "#f6d9c6",
    "cable check": "#fbf0bd",
    "precharge": "#f9d9a0",
    "charge": "#e3f1e0",
    "stop": "#f3cfcf",
}


def draw(trace: Trace, path: Path, *, title: str) -> None:
    """Write a picture of a charge; ``check`` goes before. Raises PilotHatError."""
    quantities = [one for one in UNITS if any(key[0] == one for key in trace.curves)]
    if not quantities:
        told = "no voltage, current or SoC with a time in it, nothing to draw"
        raise PilotHatError(told, where="--plot")
    figure, panels = _sheet(len(quantities))
    is_long = trace.bands[-1].until_s - trace.bands[0].since_s > MINUTES_FROM_S
    scale_s = 60.0 if is_long else 1.0
    for quantity, panel in zip(quantities, panels, strict=True):
        _panel(panel, quantity, trace, scale_s)
    _phases(figure, panels, trace.bands, scale_s)
    panels[-1].set_xlabel("time, min" if is_long else "time, s")
    _head(figure, panels, f"{title}    {', '.join(trace.protocols)}")
    try:
        figure.savefig(path, dpi=DPI, metadata=_metadata(path))
    except OSError as error:
        raise ConfigError(f"cannot be written ({error})", where=str(path)) from error


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


def _metadata(path: Path) -> dict[str, None]:
    return {"Date": None} if path.suffix.lower() == ".svg" else {}


def _sheet(count: int) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import (  # noqa: PLC0415 (see check)
        FigureCanvasAgg,
    )
    from matplotlib.figure import Figure as Sheet  # noqa: PLC0415 (see check)

    height_in = FRAME_IN + PANEL_IN * count
    figure = Sheet(figsize=(WIDTH_IN, height_in), facecolor="white")
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(count, 1, 1)]
    for number in range(2, count + 1):
        panels.append(figure.add_subplot(count, 1, number, sharex=panels[0]))
    top, bottom = 0.75 / height_in, 0.9 / height_in
    figure.subplots_adjust(
        left=_MARGIN, right=0.98, top=1 - top, bottom=bottom, hspace=0.12
    )
    return figure, panels


def _panel(panel: Axes, quantity: str, trace: Trace, scale_s: float) -> None:
    panel.set_ylabel(f"{quantity}, {UNITS[quantity]}")
    panel.grid(visible=True, color="#b8b8b8", linewidth=0.4)
    panel.tick_params(labelbottom=False, colors=_INK, labelsize=9)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    names = [name for name in _LINES if (quantity, name) in trace.curves]
    for name in names:
        _line(panel, trace.curves[quantity, name], name, scale_s)
    values = [v for name in names for v in trace.curves[quantity, name].values]
    low = min((v for v in values if isfinite(v)), default=0.0)
    high = 100.0 if quantity == "SoC" else max(filter(isfinite, values), default=1.0)
    panel.set_ylim(min(0.0, 1.1 * low), 1.1 * high or 1.0)


def _head(figure: Figure, panels: Sequence[Axes], title: str) -> None:
    """Write the title, and beside it what the kinds of lines mean."""
    figure.text(_MARGIN, 0.985, title, ha="left", va="top", fontsize=11, color=_INK)
    figure.align_ylabels(panels)
    known = {
        str(line.get_label()): line
        for panel in panels
        for line in panel.get_lines()
        if line.get_label() in _LINES
    }
    figure.legend(
        list(known.values()),
        list(known),
        loc="upper right",
        bbox_to_anchor=(0.985, 0.997),
        ncols=len(_LINES),
        fontsize=9,
        frameon=False,
    )


def _line(panel: Axes, curve: Curve, name: str, scale_s: float) -> None:
    times = [at_s / scale_s for at_s in curve.times_s]
    panel.plot(times, curve.values, label=name, **_LINES[name])  # type: ignore[arg-type]


def _phases(
    figure: Figure, panels: Sequence[Axes], bands: Sequence[Band], scale_s: float
) -> None:
    """Lay the phases behind all panels; name the wide ones, explain all below."""
    since, until = bands[0].since_s / scale_s, bands[-1].until_s / scale_s
    width = (until - since) or 1.0
    patches = {}
    for band in bands:
        start, end = band.since_s / scale_s, band.until_s / scale_s
        for panel in panels:
            patch = panel.axvspan(
                start, end, color=_BANDS.get(band.phase, "white"), zorder=0, lw=0
            )
        patches[band.phase] = patch
        if (end - start) / width >= LEAST_LABEL:
            _name(panels[0], band.phase, (start + end) / 2)
    panels[-1].tick_params(labelbottom=True)
    panels[0].set_xlim(since, since + width)
    lasting = _lasting(bands)
    figure.legend(
        list(patches.values()),
        [f"{phase} {lasting[phase]}" for phase in patches],
        loc="lower left",
        bbox_to_anchor=(_MARGIN - 0.01, 0.0),
        ncols=min(len(patches), 5),
        fontsize=8,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.6,
    )


def _name(panel: Axes, phase: str, middle: float) -> None:
    panel.annotate(
        phase,
        (middle, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        fontsize=9,
        color=_INK,
    )


def _lasting(bands: Sequence[Band]) -> Mapping[str, str]:
    """Return how long each phase took, all of its times together."""
    sums: dict[str, float] = {}
    for band in bands:
        sums[band.phase] = sums.get(band.phase, 0.0) + band.until_s - band.since_s
    return {phase: _duration(sum_s) for phase, sum_s in sums.items()}


def _duration(seconds: float) -> str:
    if seconds >= MINUTES_FROM_S:
        return f"{seconds / 60:.1f} min"
    if seconds >= 1:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms"
