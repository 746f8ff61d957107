"""Training curves: how the restoration loss of every method went, beside that of the student alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.family import Family
from bench.figures.drawing import BLUE, FAINT, INK, NAME_SIZE, OURS, VERMILION, WIDE, Drawing, listed, overall
from bench.method_record import MethodRecord
from bench.plots import apart
from bench.ranking import Ranking
from bench.stats import Array
from bench.values import read_history

TERM = "restoration"
ALIKE = 1.5
"""Factor within which a first value is that of the student alone: all start from its weights and see its batches.

It finds terms of another weight where no record of the method tells."""
LABEL_GAP = 0.085
"""Between the names of two lines, as a share of the axis."""


class Curves(NamedTuple):
    """What is drawn of one task.

    Attributes:
        steps: Of all curves.
        alone: The loss of the student alone, the mean over the seeds.
        beside: By row, the difference to the student alone over the same seeds, in per cent of its loss.
        lost: Rows whose term is not that of the student alone: it has another weight, or other steps.
    """

    steps: Array
    alone: Array
    beside: Mapping[str, Array]
    lost: Sequence[str]


def draw_curves(family: Family, ranked: Sequence[Ranking], methods: Sequence[MethodRecord] = ()) -> Iterator[Drawing]:
    """The restoration loss over the steps; nothing where histories were not kept."""
    weights = {method.name: method.weighs_restoration_otherwise for method in methods}
    tasks = dict.fromkeys(column.task for column in family.board.columns)
    found = {task: curves for task in tasks if (curves := _curves(family, task, weights)) and curves.beside}
    if found:
        shown = {row for curves in found.values() for row in curves.beside} - {*family.board.other_steps}
        best = next((row.label for row in overall(ranked).rows if row.label in shown), "")
        title = f"{family.network}: the restoration loss during training"
        yield Drawing(f"{family.network}_curves", "curves", title, _caption(found, best), _figure(found, best))


def _curves(family: Family, task: str, weights: Mapping[str, bool]) -> Curves | None:
    """The curves of a task's methods, without controls; None where the student alone has none.

    Args:
        family: The records.
        task: Of them.
        weights: Methods of which it is known whether their term has another weight.
    """
    folders = {  # a cell's records on several test sets have one history
        path.parent: record
        for path, record in family.records.items()
        if record.task == task and record.role == "student" and record.teacher == "trained"
    }
    histories: dict[str, dict[int, Array]] = {}
    for folder, record in folders.items():
        if TERM in record.terms and (folder / "terms.csv").exists():
            histories.setdefault(record.label, {})[record.seed] = _history(folder / "terms.csv")
    alone = histories.pop("scratch", {})
    if not alone:
        return None
    usual = next(iter(alone.values()))
    alone = {seed: history for seed, history in alone.items() if np.array_equal(history[0], usual[0])}
    beside = {}
    for row, seeds in histories.items():
        differs = _differs(row, weights)
        if not differs and (found := _beside(seeds, alone, is_sure=differs is not None)) is not None:
            beside[row] = found
    steps, losses = np.mean([*alone.values()], axis=0)
    return Curves(steps, losses, beside, [row for row in histories if row not in beside])


def _differs(row: str, weights: Mapping[str, bool]) -> bool | None:
    """Whether the term of a row has another weight: known of methods and their variants, ``slkd_kl`` of ``slkd``."""
    original = max((name for name in weights if f"{row}_".startswith(f"{name}_")), key=len, default=None)
    return None if original is None else weights[original]


def _history(path: Path) -> Array:
    """(2, rows): the steps and the loss.

    Raises:
        ValueError: The file is damaged, or it lacks the term, which the record beside it has.
    """
    rows = read_history(path)
    if not rows or TERM not in rows[0]:
        found = f"the columns {', '.join(rows[0])}" if rows else "no rows"
        raise ValueError(
            f"{path}: expected rows with the term {TERM}, got {found}; delete its folder to have it made again"
        )
    return np.array([[row["step"], row[TERM]] for row in rows]).T


def _beside(seeds: Mapping[int, Array], alone: Mapping[int, Array], is_sure: bool) -> Array | None:
    """The difference to the student alone in per cent; None where the two cannot be compared.

    Args:
        seeds: The histories of a row.
        alone: Those of the student alone.
        is_sure: Whether the term is known to have the same weight.
    """
    pairs = [(seeds[seed], alone[seed]) for seed in seeds if seed in alone]
    if not pairs or any(not np.array_equal(ours[0], theirs[0]) for ours, theirs in pairs):
        return None
    ours, theirs = (np.mean([pair[side][1] for pair in pairs], axis=0) for side in (0, 1))
    if not is_sure and not theirs[0] / ALIKE < ours[0] < theirs[0] * ALIKE:
        return None
    return np.asarray(100 * (ours / theirs - 1))


def _caption(found: Mapping[str, Curves], best: str) -> str:
    lost = list(dict.fromkeys(row for curves in found.values() for row in curves.lost))
    without = f" Not shown, since their term has another weight or other steps: {listed(lost)}." if lost else ""
    return (
        "Above, the restoration loss on the training batches, as means over the seeds; below, the difference of every "
        f"method to the student alone, in per cent of its loss on the same batches. {OURS}, the best by PSNR of those "
        f"shown ({best}), and the methods that end lowest and highest are named; the faint lines are the others. It is "
        f"the loss on what is trained on, which is not what methods are ranked by. Controls are not shown.{without}"
    )


def _figure(found: Mapping[str, Curves], best: str) -> Figure:
    figure = Figure(figsize=(WIDE, 3.4), layout="constrained")
    axes = figure.subplots(2, len(found), sharex="col", squeeze=False, height_ratios=(2, 3))
    for (upper, lower), (task, curves) in zip(axes.T, found.items(), strict=True):
        upper.set_title(task)
        lower.set(xlabel="step", xticks=[0, curves.steps[-1] / 2, curves.steps[-1]])
        _draw(upper, lower, curves, best)
        _name_ends(lower, curves, best)
    axes[0][0].set_ylabel("restoration loss")
    axes[1][0].set_ylabel("difference to scratch (%)")
    looks = {"scratch": "scratch", best: f"best by PSNR: {best}", OURS: OURS, "": "other methods"}
    lines = [Line2D([], [], **_look(row, best)) for row in looks]
    figure.legend(lines, list(looks.values()), loc="outside upper center", ncols=len(looks))
    return figure


def _draw(upper: Axes, lower: Axes, curves: Curves, best: str) -> None:
    """One task: the loss above, the differences to the student alone below."""
    for row, beside in [("scratch", 0 * curves.alone), *curves.beside.items()]:
        lower.plot(curves.steps, beside, **_look(row, best))
        upper.plot(curves.steps, curves.alone * (1 + beside / 100), **_look(row, best))


def _look(row: str, best: str) -> dict[str, Any]:
    """The named lines are before the others."""
    if row == "scratch":
        return {"color": INK, "linewidth": 1.2, "zorder": 3}
    if row == OURS:
        return {"color": VERMILION, "linewidth": 1.2, "zorder": 5}
    if row == best:
        return {"color": BLUE, "linewidth": 1.2, "linestyle": (0, (4, 2)), "zorder": 4}
    return {"color": INK, "alpha": FAINT, "linewidth": 0.6, "zorder": 2}


def _name_ends(axis: Axes, curves: Curves, best: str) -> None:
    """Names the ends of some lines, on the right of the axis."""
    ends = {row: float(beside[-1]) for row, beside in curves.beside.items()}
    wanted = {OURS, best, min(ends, key=ends.__getitem__), max(ends, key=ends.__getitem__)}
    named = [row for row in ends if row in wanted]
    axis.autoscale_view()
    low, high = axis.get_ylim()
    heights = apart([(ends[row] - low) / (high - low) for row in named], LABEL_GAP)
    for row, height in zip(named, heights, strict=True):
        weight = "bold" if row == OURS else "normal"
        axis.text(1.03, height, row, transform=axis.transAxes, va="center", fontsize=NAME_SIZE, fontweight=weight)
