"""Dot plots: a line for every method, a panel for every test set, and the method's control beside it."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.figures.drawing import BLUE, FAINT, INK, OURS, VERMILION

ROW = 0.145
"""Height of a line, in inches."""
AROUND = 1.1
"""Height of titles, axis and legend, in inches."""
SMALL = 5.5
"""Of numbers beside marks that stand for what is further out, in points."""

LETTERS = 13
"""Of a title, per inch of a panel and what is beside it."""
FEW = 20
"""Letters, of which a line may be too short for a task and a test set."""
METHOD: dict[str, Any] = {"marker": "o", "markersize": 3.0}
CONTROL: dict[str, Any] = {"marker": "o", "markersize": 5.5, "markerfacecolor": "none", "markeredgewidth": 0.7}
LONGER: dict[str, Any] = {"marker": "^", "markersize": 3.5}


class Dot(NamedTuple):
    """A value with the bounds of its interval; None where there is none."""

    value: float
    low: float | None
    high: float | None


class Panel(NamedTuple):
    """What is shown side by side.

    Attributes:
        title: Of the panel.
        methods: By row.
        controls: Of these methods, by row.
    """

    title: str
    methods: Mapping[str, Dot]
    controls: Mapping[str, Dot]


class Scale(NamedTuple):
    """The axis of all panels.

    Attributes:
        title: Its name and unit.
        low: Where it begins; what is lower is marked at the edge, with its number.
        high: Where it ends, likewise.
        guides: Values to compare with.
        ticks: Where numbers stand at the axis.
        form: Of numbers that are written, for `str.format`.
    """

    title: str
    low: float
    high: float
    guides: Sequence[float]
    ticks: Sequence[float]
    form: str


def dot_plot(rows: Sequence[str], panels: Sequence[Panel], scale: Scale, hollow: Sequence[str], width: float) -> Figure:
    """Draws rows from the top to the bottom, panels from the left to the right.

    Args:
        rows: Their names.
        panels: At least one.
        scale: The axis of all of them.
        hollow: Rows of another training length, drawn as triangles.
        width: In inches.
    """
    figure = Figure(figsize=(width, AROUND + ROW * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        axis.set_title(_lines(panel.title, int(LETTERS * width / len(panels))))
        axis.set_xticks(scale.ticks)
        axis.set(xlim=(scale.low, scale.high), ylim=(len(rows) - 0.4, -0.6))
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0, pad=5)
        for guide in scale.guides:
            axis.axvline(guide, color=INK, alpha=FAINT, linewidth=0.6, zorder=0)
        for place, row in enumerate(rows):
            axis.axhline(place, color=INK, alpha=0.08, linewidth=0.5, zorder=0)
            _draw_row(axis, place, row, panel, scale, row in hollow)
    axes[0].set_yticks(range(len(rows)), rows)
    for text in axes[0].get_yticklabels():
        text.set_fontweight("bold" if text.get_text() == OURS else "normal")
    figure.supxlabel(scale.title, fontsize=8)
    _explain(figure, any(panel.controls for panel in panels), bool(hollow))
    return figure


def _lines(title: str, letters: int) -> str:
    """A title in lines of some letters; where these are few, the task and the test set have one each."""
    return title.replace(": ", ":\n") if ": " in title and letters < FEW else textwrap.fill(title, letters)


def _draw_row(axis: Axes, place: int, row: str, panel: Panel, scale: Scale, is_longer: bool) -> None:
    """A method with its interval, and its control on the same line; of a control alone, the interval too."""
    method, control = panel.methods.get(row), panel.controls.get(row)
    colour = INK if is_longer else VERMILION if row.startswith(OURS) else BLUE
    if whole := method or control:
        _draw_interval(axis, place, whole, scale, colour)
    if control:
        _draw_value(axis, place, control.value, scale, CONTROL | {"color": colour})
    if method:
        _draw_value(axis, place, method.value, scale, (LONGER if is_longer else METHOD) | {"color": colour})
    _write_outside(axis, place, [dot.value for dot in (method, control) if dot], scale)


def _draw_interval(axis: Axes, place: int, dot: Dot, scale: Scale, colour: str) -> None:
    """A line; where it goes on past the edge, it ends in an arrow."""
    if dot.low is None or dot.high is None:
        return
    low, high = (min(max(end, scale.low), scale.high) for end in (dot.low, dot.high))
    axis.hlines(place, low, high, color=colour, linewidth=0.9)
    for end, edge, arrow in ((dot.low, low, "<"), (dot.high, high, ">")):
        if end != edge:
            axis.plot([edge], [place], color=colour, marker=arrow, markersize=2, clip_on=False)


def _draw_value(axis: Axes, place: int, value: float, scale: Scale, look: dict[str, Any]) -> None:
    """A mark, or an arrow at the edge of the axis where the value is further out."""
    edge = min(max(value, scale.low), scale.high)
    arrow = {"marker": "<" if edge == scale.low else ">"} if edge != value else {}
    axis.plot([edge], [place], linestyle="", clip_on=False, **look | arrow)


def _write_outside(axis: Axes, place: int, values: Sequence[float], scale: Scale) -> None:
    """The numbers of a row's values that are further out than the axis, where no mark is in the way."""
    far = [value for value in values if not scale.low <= value <= scale.high]
    if not far:
        return
    middle = (scale.low + scale.high) / 2
    is_left = far[0] < middle
    if any(scale.low <= value <= scale.high and (value < middle) == is_left for value in values):
        is_left = not is_left  # the other mark of the row is on this side
    text = " / ".join(scale.form.format(value) for value in far).replace("-", "\u2212")
    axis.annotate(
        text,
        (scale.low if is_left else scale.high, place),
        (5 if is_left else -5, 0.7),
        textcoords="offset points",
        ha="left" if is_left else "right",
        va="bottom",  # an interval is on the line
        fontsize=SMALL,
    )


def _explain(figure: Figure, has_controls: bool, has_longer: bool) -> None:
    """What marks mean."""
    looks = {"method": METHOD | {"color": INK}}
    if has_controls:
        looks["its control: no teacher"] = CONTROL | {"color": INK}
    if has_longer:
        looks["trained longer"] = LONGER | {"color": INK}
    if len(looks) > 1:
        marks = [Line2D([], [], linestyle="", **look) for look in looks.values()]
        spaces = {"handletextpad": 0.1, "columnspacing": 1.0}
        figure.legend(marks, list(looks), loc="outside upper center", ncols=len(looks), **spaces)
