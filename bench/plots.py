"""Figures: curves of loss terms and galleries of images and maps, from arrays, without state shared with pyplot."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle, islice, pairwise
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

Panels = NDArray[np.floating[Any]]

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "slkd-bench",
}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's, told apart by colour-blind readers; the light yellow is left out."""
DASHES = ("-", (0, (4, 3)))
"""Terms that are balanced to one value lie on one another: the gaps of one let the other show."""
FEW_POINTS = 12
"""Up to so many are marked, since a line alone would not tell them."""
LABEL_GAP = 0.075
"""Between the names of two lines, as a share of the axis."""
SPAN = 10.0
"""Values that differ by more than this factor are drawn on a logarithmic axis."""
PANEL_INCHES = 1.75
LARGEST_SHARE = 99.5
"""The percentile of a figure's maps at which their colour scale ends."""
NARROWEST = 5.5
"""Width of a gallery that still holds its title."""
CHARACTERS_PER_INCH = 15
"""Of a caption's lines."""


def curves(history: Sequence[Mapping[str, float]], panels: Mapping[str, Mapping[str, str]], title: str) -> Figure:
    """Draws columns of a training's history over its steps, each line named at its end.

    Args:
        history: Rows with ``step`` and the columns.
        panels: By panel title, the columns it shows and how they are called; lines of one name share one colour.
        title: Of the figure.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.5 + 5 * len(panels), 3.6), layout="constrained")
        figure.suptitle(title, fontweight="bold")
        names = dict.fromkeys(name for columns in panels.values() for name in columns.values())
        looks = dict(zip(names, islice(zip(cycle(COLOURS), cycle(DASHES), strict=False), len(names)), strict=True))
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (panel, columns) in zip(axes, panels.items(), strict=True):
            axis.set(title=panel, xlabel="step")
            axis.grid(alpha=0.25, linewidth=0.6)
            _draw_lines(axis, history, columns, looks)
    return figure


def _draw_lines(
    axis: Axes, history: Sequence[Mapping[str, float]], columns: Mapping[str, str], looks: Mapping[str, Any]
) -> None:
    """The lines of one panel, with their names on the right."""
    steps = [row["step"] for row in history]
    values = {column: [row[column] for row in history] for column in columns}
    lowest, highest = (extreme(map(extreme, values.values())) for extreme in (min, max))
    if lowest > 0 and highest > SPAN * lowest:
        axis.set_yscale("log")
    marker = "o" if len(steps) <= FEW_POINTS else ""
    for column, name in columns.items():
        colour, dashes = looks[name]
        axis.plot(steps, values[column], color=colour, linestyle=dashes, marker=marker, markersize=3)
    axis.autoscale_view()
    to_axis = axis.transData + axis.transAxes.inverted()
    ends = [float(to_axis.transform((steps[-1], values[column][-1]))[1]) for column in columns]
    for name, height in zip(columns.values(), apart(ends, LABEL_GAP), strict=True):
        axis.text(1.03, height, name, color=looks[name][0], transform=axis.transAxes, va="center", fontweight="bold")


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Moves places in [0, 1] upwards until neighbours are a gap apart, then all of them down if they left the top."""
    moved = np.asarray(places, dtype=float)
    order = np.argsort(moved, kind="stable")
    for lower, upper in pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + gap)
    return [float(place) for place in moved - max(moved.max() - 1, 0)]


def gallery(rows: Mapping[str, Panels], columns: Sequence[str], title: str, caption: str) -> Figure:
    """Draws images and maps in a grid; all maps of a figure share one colour scale.

    Args:
        rows: By title, the panels of a row from left to right, ``(K, H, W, 3)`` images, clipped to [0, 1], or
            ``(K, H, W, 1)`` maps. Rows may differ in length.
        columns: Titles of the columns; none where empty.
        title: Of the figure.
        caption: What to look at.
    """
    width = max(map(len, rows.values()))
    ratio = max(panels.shape[1] / panels.shape[2] for panels in rows.values())
    inches = max(1 + PANEL_INCHES * width, NARROWEST)
    text = textwrap.fill(caption, int(CHARACTERS_PER_INCH * inches))
    high = 1 + PANEL_INCHES * ratio * len(rows) + 0.16 * text.count("\n")
    norm, palette = colour_scale([panels for panels in rows.values() if _are_maps(panels)])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(inches, high), layout="constrained")
        figure.suptitle(title, fontweight="bold")
        figure.supxlabel(text, fontsize=8.5)
        axes = figure.subplots(len(rows), width, squeeze=False)
        for line, (name, panels) in zip(axes, rows.items(), strict=True):
            line[0].set_ylabel(name)
            _draw_row(line, panels, norm, palette)
        for axis, column in zip(axes[0], columns, strict=False):
            axis.set_title(column)
        beside = [axis for line, panels in zip(axes, rows.values(), strict=True) if _are_maps(panels) for axis in line]
        if beside:
            extend: Literal["both", "max"] = "both" if norm.vmin else "max"
            figure.colorbar(ScalarMappable(norm, palette), ax=beside, shrink=0.8, aspect=30, extend=extend)
    return figure


def _are_maps(panels: Panels) -> bool:
    return panels.shape[-1] == 1


def _draw_row(axes: Sequence[Axes], panels: Panels, norm: Normalize, palette: str) -> None:
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes, panels, strict=False):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        shown = panel[..., 0] if _are_maps(panels) else panel.clip(0, 1)
        axis.imshow(shown, interpolation="nearest", norm=norm, cmap=palette)  # images keep their colours


def colour_scale(maps: Sequence[Panels]) -> tuple[Normalize, str]:
    """The range and the colours of maps: from zero upwards, or about zero where some values are negative."""
    values = np.concatenate([np.zeros(1), *(panels.ravel() for panels in maps)])
    limit = max(float(np.percentile(np.abs(values), LARGEST_SHARE)), 1e-6)
    if values.min() < 0:
        return Normalize(-limit, limit), "RdBu_r"
    return Normalize(0, limit), "viridis"


def encode(figure: Figure, format_: Literal["png", "svg"]) -> bytes:
    """The bytes of a figure's file, the same for the same figure."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format=format_, dpi=150, metadata={"Date": None} if format_ == "svg" else None)
    return buffer.getvalue()
