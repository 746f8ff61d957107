"""What all figures of results share: their form, their style, and names that are written where there is room."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from bench.plots import COLOURS
from bench.ranking import Ranking
from bench.stats import Array

NARROW, WIDE = 3.5, 7.16
"""Inches of one and of two columns of a paper."""
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # the first comes with matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 4.0,
    "lines.markeredgewidth": 0.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "slkd-bench",
    "pdf.fonttype": 42,
}
INK = "black"
"""Of what is neutral; a page puts the colour of its text in the place."""
FAINT = 0.3
"""Opacity of what stands behind."""
BLUE, VERMILION, GREEN, PURPLE = COLOURS[:4]
"""Those of Okabe and Ito's colours that are told from a white and from a black page."""
OURS = "slkd"
"""The project's own method; its ablations are called ``slkd_*``."""
NAME_SIZE = 7.0
"""Of names within an axis, in points."""
NEAR, FAR = 5.0, 13.0
"""Distance of a name, in points; from a place that is far, a line leads to its point."""
LEADER = {"arrowstyle": "-", "linewidth": 0.4, "alpha": FAINT, "shrinkA": 1, "shrinkB": 2}
SIDES = ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1))
MARK, THIN = 3.0, 1.0
"""Half of the space of a point and of a line, in points."""
Line = Sequence[tuple[float, float]]
"""Corners, in data coordinates."""


class Drawing(NamedTuple):
    """A figure of results.

    Attributes:
        name: The file's name without its suffix.
        section: What it belongs to: ``cost``, ``gap``, ``curves`` or ``ablation``.
        title: One line.
        caption: What to look at, what marks mean, and what is not shown.
        figure: What is drawn.
    """

    name: str
    section: str
    title: str
    caption: str
    figure: Figure


class Name(NamedTuple):
    """What is written beside a point.

    Attributes:
        text: The name.
        x: Where the point is, in data coordinates.
        y: Likewise.
        side: 1 where the name would rather be on the right, -1 on the left.
    """

    text: str
    x: float
    y: float
    side: int = 1


def overall(ranked: Sequence[Ranking]) -> Ranking:
    """The ranking by the mean over most test sets, of at least one."""
    return max(ranked, key=lambda ranking: len(ranking.columns))


def where(ranking: Ranking) -> str:
    """The test sets of a ranking in words."""
    (task, test_set), *others = ranking.columns
    return f"mean of {len(ranking.columns)} test sets" if others else f"{task}: {test_set}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def settle(figure: Figure) -> None:
    """Lays a figure out, once for all: what is measured stays where it is, and files are written sooner."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def name_points(axis: Axes, names: Sequence[Name], lines: Sequence[Line]) -> list[str]:
    """Writes names beside their points, where they cover no line, no other named point and no other name.

    Args:
        axis: Of a figure that is otherwise complete: what is drawn later is not seen.
        names: The first have the first choice.
        lines: What else must not be covered, as corners in data coordinates.

    Returns:
        The names that had no place.
    """
    figure = axis.get_figure(root=True)
    assert figure is not None
    settle(figure)
    point = figure.dpi / 72
    inside = axis.get_window_extent()
    taken = [_around(axis.transData.transform((name.x, name.y)), MARK * point) for name in names]
    taken += [_around(place, THIN * point) for line in lines for place in _along(axis.transData.transform(line), point)]
    lost = []
    for name in names:
        if box := _write(axis, name, inside, taken):
            taken.append(box)
        else:
            lost.append(name.text)
    return lost


def _write(axis: Axes, name: Name, inside: Bbox, taken: Sequence[Bbox]) -> Bbox | None:
    """Writes a name in the first free place; None where there is none."""
    for distance, (across, up) in product((NEAR, FAR, 2 * FAR), SIDES):
        place = (name.side * across * distance, up * distance)
        text = _beside(axis, name, place)
        box = text.get_window_extent()
        if not box.count_overlaps(taken) and all(inside.contains(*corner) for corner in box.corners()):
            if distance > NEAR:
                text.remove()  # measured with its line, it would cover its own point
                _beside(axis, name, place, LEADER)
            return box
        text.remove()
    return None


def _beside(axis: Axes, name: Name, place: tuple[float, float], line: dict[str, Any] | None = None) -> Annotation:
    return axis.annotate(
        name.text,
        (name.x, name.y),
        place,
        textcoords="offset points",
        ha=("center", "left", "right")[int(np.sign(place[0]))],
        va=("center", "bottom", "top")[int(np.sign(place[1]))],
        fontsize=NAME_SIZE,
        fontweight="bold" if name.text == OURS else "normal",
        arrowprops=line,
    )


def _around(place: Array, space: float) -> Bbox:
    return Bbox([place - space, place + space])


def _along(corners: Array, point: float) -> Iterator[Array]:
    """Places on a line through corners, some points apart, all in pixels."""
    for start, end in pairwise(corners):
        count = 2 + int(np.hypot(*(end - start)) / (4 * point))
        yield from np.linspace(start, end, count)
