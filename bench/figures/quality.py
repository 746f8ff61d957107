"""Quality against what restoring an image costs: parameters, multiply-accumulates and time, of all networks."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, StrMethodFormatter
from matplotlib.transforms import Transform, offset_copy

from bench.family import Family
from bench.figures.costs import TEACHER, Count, Network, comparable_counts, networks_of, shared_columns
from bench.figures.drawing import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    OURS,
    PURPLE,
    VERMILION,
    WIDE,
    Drawing,
    Line,
    Name,
    listed,
    name_points,
    settle,
)
from bench.figures.front import Point, pareto_front, steps
from bench.scoreboard import Column

SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Of the families."""
BESIDE, CLOSE = 8.0, 2.0
"""How far marks of two families and of one are moved apart, in points: they would cover one another."""
FRONT: dict[str, Any] = {"color": PURPLE, "linewidth": 1.2, "zorder": 1}
STUDENTS: dict[str, Any] = {"linestyle": "", "marker": "_", "markersize": 7, "color": INK, "alpha": FAINT}


class Mark(NamedTuple):
    """How a named network is drawn, and how far aside of its place, in points."""

    network: Network
    shape: str
    colour: str
    aside: float


def draw_quality(families: Sequence[Family]) -> Iterator[Drawing]:
    """Quality against cost; nothing where no row has a cost, or the families share no test set."""
    columns = shared_columns(families)
    networks = [network for family in families for network in networks_of(family, columns)] if columns else []
    if networks:
        counts, note = comparable_counts([network.cost for network in networks])
        caption = " ".join([*_caption(networks, columns), note])
        yield Drawing("quality", "cost", "Quality against the cost of an image", caption, _figure(networks, counts))


def _caption(networks: Sequence[Network], columns: Sequence[Column]) -> Iterator[str]:
    over = "the test set" if len(columns) == 1 else f"the {len(columns)} test sets"
    sets = listed([f"{column.task}: {column.test_set}" for column in columns])
    yield f"Mean PSNR over {over} {sets} and the seeds, against what restoring one image costs, on a logarithmic axis."
    yield (
        "Students of one family are one network and stand above one another, moved aside a little where they would "
        "cover one another. Dashes are methods; named are the teacher, the student alone, the project's method and the "
        "best method of usual length, with the 95 % t interval over the seeds where there are several. On the "
        "Pareto front are the networks that no other one is both cheaper and better than."
    )
    longer = list(dict.fromkeys(network.label for network in networks if network.is_longer))
    if longer:
        yield f"Hollow: {listed(longer)}, trained for more steps."
    yield "Controls and the teacher that sees clean images are not shown."


def _figure(networks: Sequence[Network], counts: Mapping[str, Count]) -> Figure:
    figure = Figure(figsize=(WIDE, 2.9), layout="constrained")
    axes = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    axes[0].set_ylabel("PSNR (dB)")
    shapes = dict(zip(dict.fromkeys(network.family for network in networks), cycle(SHAPES), strict=False))
    _explain(figure, shapes)
    names = []
    for axis, (title, count) in zip(axes, counts.items(), strict=True):
        axis.set(xscale="log", xlabel=title)
        axis.margins(x=0.3)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.minorticks_off()
        points = [Point(count(network.cost), network.psnr.value) for network in networks]
        front = pareto_front(points)
        axis.plot(*zip(*front, strict=True), drawstyle="steps-post", **FRONT)
        axis.update_datalim(points)
        marks = _draw_families(axis, networks, count, shapes)
        names.append((axis, marks, count, steps(front)))
    ends = [network.psnr.value for network in networks] + [end for mark in marks for end in mark.network.reach]
    room = 0.08 * (max(ends) - min(ends) or 1.0)
    axes[0].set_ylim(min(ends) - room, max(ends) + room)
    settle(figure)
    for about in names:
        _name(*about)
    return figure


def _draw_families(axis: Axes, networks: Sequence[Network], count: Count, shapes: Mapping[str, str]) -> list[Mark]:
    """All networks of one panel: of families that cost much the same, the cheaper on the left."""
    marks: list[Mark] = []
    cheapest = sorted(networks, key=lambda network: count(network.cost))
    for place, family in enumerate(dict.fromkeys(network.family for network in cheapest)):
        of_family = [network for network in networks if network.family == family]
        aside = BESIDE * (place - (len(shapes) - 1) / 2)
        students = [network for network in of_family if network.label != TEACHER]
        costs, qualities = [count(student.cost) for student in students], [student.psnr.value for student in students]
        axis.plot(costs, qualities, transform=_moved(axis, aside), **STUDENTS)
        marks += _marks(of_family, students, shapes[family], aside)
    for mark in marks:
        _draw(axis, mark, count(mark.network.cost))
    return marks


def _marks(of_family: Sequence[Network], students: Sequence[Network], shape: str, aside: float) -> Iterator[Mark]:
    """The teacher, the best student, the project's method, the student alone, those trained longer."""
    usual = [student for student in students if not student.is_longer]
    best = max(usual, key=lambda student: student.psnr.value, default=None)
    for network in of_family:
        if network.label == TEACHER:
            yield Mark(network, shape, GREEN, 0)
        elif network.is_longer:
            yield Mark(network, shape, INK, aside)
        elif network.label == "scratch":
            yield Mark(network, shape, INK, aside + CLOSE)
        elif network.label == OURS:
            yield Mark(network, shape, VERMILION, aside)
        elif network is best:
            yield Mark(network, shape, BLUE, aside - CLOSE)


def _moved(axis: Axes, aside: float) -> Transform:
    """From data to the page, and some points to the right."""
    return offset_copy(axis.transData, axis.get_figure(root=True), aside, units="points")


def _draw(axis: Axes, mark: Mark, cost: float) -> None:
    """One named network, with the interval of its mean."""
    network = mark.network
    axis.errorbar(
        [cost],
        [network.psnr.value],
        yerr=[network.psnr.half_width or 0.0],
        fmt=mark.shape,
        color=mark.colour,
        elinewidth=0.8,
        markerfacecolor="none" if network.is_longer else mark.colour,
        transform=_moved(axis, mark.aside),
    )


def _name(axis: Axes, marks: Sequence[Mark], count: Count, front: Line) -> None:
    """Writes the names beside the marks, of which families on the left have theirs on the left."""
    names, lines = [], [front]
    for mark in marks:
        to_data = _moved(axis, mark.aside) + axis.transData.inverted()
        text = "teacher" if mark.network.label == TEACHER else mark.network.label
        x, y = to_data.transform((count(mark.network.cost), mark.network.psnr.value))
        names.append(Name(text, x, y, -1 if mark.aside < 0 else 1))
        lines.append([(x, end) for end in mark.network.reach])
    name_points(axis, names, lines)


def _explain(figure: Figure, shapes: Mapping[str, str]) -> None:
    """What marks and lines mean."""
    marks = {family: Line2D([], [], linestyle="", marker=shape, color=INK) for family, shape in shapes.items()}
    marks |= {"a student": Line2D([], [], **STUDENTS), "Pareto front": Line2D([], [], **FRONT)}
    figure.legend(list(marks.values()), list(marks), loc="outside upper center", ncols=len(marks), handletextpad=0.5)
