"""What methods gain, against what training with them costs."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from bench.family import Family
from bench.figures.drawing import (
    BLUE,
    FAINT,
    INK,
    OURS,
    PURPLE,
    VERMILION,
    WIDE,
    Drawing,
    Name,
    listed,
    name_points,
    overall,
    where,
)
from bench.figures.front import Point, pareto_front, steps
from bench.method_record import MethodRecord, StepCost
from bench.ranking import Ranking
from bench.record import TEACHER_ROWS
from bench.scoreboard import Column, Scoreboard
from bench.stats import Mean


class Trained(NamedTuple):
    """A method: the cost of its training, as a multiple of that of ``scratch``, and the gain over it in dB."""

    label: str
    cost: float
    gain: Mean

    @property
    def point(self) -> Point:
        """Where it is drawn."""
        return Point(self.cost, self.gain.value)

    @property
    def interval(self) -> list[tuple[float, float]]:
        """The line of its interval."""
        reach = self.gain.half_width or 0.0
        return [(self.cost, self.gain.value - reach), (self.cost, self.gain.value + reach)]


def draw_training(family: Family, ranked: Sequence[Ranking], methods: Sequence[MethodRecord]) -> Iterator[Drawing]:
    """Gain against cost; nothing where less than two were timed for such networks beside the student alone."""
    ranking = overall(ranked)
    costs = _step_costs(family, methods)
    trained = [
        Trained(row.label, costs[row.label].ratio * _length(family.board, row.label), row.over or Mean(0.0, None))
        for row in ranking.rows
        if row.label in costs and (row.over or row.label == "scratch")
    ]
    if len(trained) < 3:
        return
    figure, lost = _figure(trained, where(ranking))
    title = f"{family.network}: gain against the cost of training"
    caption = _caption(where(ranking), costs[trained[0].label], lost)
    yield Drawing(f"{family.network}_training_cost", "cost", title, caption, figure)


def _caption(on: str, cost: StepCost, lost: Sequence[str]) -> str:
    unnamed = f" There was no room for the names of {listed(lost)}." if lost else ""
    return (
        f"What a method gains over the student alone in the {on}, with the 95 % interval for other seeds and images, "
        "against what its training costs: the time of a step, alone and with its teachers' passes, times its number of "
        f"steps, both over those of the student alone. Steps were timed for batches of {cost.batch} crops of "
        f"{cost.crop_size}x{cost.crop_size} on {cost.device}, CPU threads: {cost.threads}. The line is the Pareto "
        "front, of methods that no other one is both cheaper and better than. Training the teacher is not counted. "
        f"Controls, and variants whose step was not timed, are not shown.{unnamed}"
    )


def _step_costs(family: Family, methods: Sequence[MethodRecord]) -> dict[str, StepCost]:
    """What a step costs with the networks of this family; of several measurements, the first."""
    networks = [family.cost_of.get(label) for label in ("scratch", TEACHER_ROWS["removal"])]
    sizes = [network.size for network in networks if network]
    costs = [(method.name, cost) for method in methods for cost in method.costs if cost.network == family.network]
    return {name: cost for name, cost in reversed(costs) if [cost.student, cost.teacher] == sizes}


def _length(board: Scoreboard, label: str) -> float:
    """The steps of a row over those of most students."""
    records = [record for record in board.records if record.label == label and record.status == "ok"]
    return fmean(record.steps / board.usual_steps[Column(record.task, record.test_set)] for record in records)


def _figure(trained: Sequence[Trained], on: str) -> tuple[Figure, list[str]]:
    figure = Figure(figsize=(WIDE, 3.2), layout="constrained")
    axis = figure.subplots()
    axis.set(xscale="log", xlabel="cost of training (times that of scratch)", ylabel=f"gain over scratch (dB)\n{on}")
    axis.margins(x=0.08)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6, 8)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.minorticks_off()
    axis.axhline(0, color=INK, alpha=FAINT, linewidth=0.6)
    front = pareto_front(one.point for one in trained)
    axis.plot(*zip(*front, strict=True), drawstyle="steps-post", color=PURPLE, linewidth=1.2, zorder=1)
    for one in trained:
        _draw(axis, one)
    level = [(cost, 0.0) for cost in axis.get_xlim()]
    first = sorted(trained, key=lambda one: (one.label not in ("scratch", OURS), -abs(one.gain.value)))
    names = [Name(one.label, *one.point) for one in first]
    return figure, name_points(axis, names, [steps(front), level, *(one.interval for one in trained)])


def _draw(axis: Axes, one: Trained) -> None:
    shape, colour = {"scratch": ("s", INK), OURS: ("D", VERMILION)}.get(one.label, ("o", BLUE))
    axis.plot(*zip(*one.interval, strict=True), color=INK, alpha=FAINT, linewidth=0.6)
    axis.plot([one.cost], [one.gain.value], color=colour, marker=shape)
