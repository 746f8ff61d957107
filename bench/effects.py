"""What each method gains, and how much of that a teacher gave: the table beside the scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from bench.record import TEACHER_ROWS, CellRecord
from bench.scoreboard import Column, Scoreboard
from bench.stats import Difference, holm, paired_difference
from bench.table import METRIC_TITLES, Table

ALPHA = 0.05
Values = Mapping[tuple[str, Column], Mapping[int, float]]
"""The score of a row in a column by seed."""


class Effect(NamedTuple):
    """What a method does on one test set, or on average over all of them.

    Attributes:
        gain: Over the student alone.
        gap: The gain as a share of the removal teacher's; None where the teacher is no better than the student.
        effect: The distillation effect: over the control; None for a control.
    """

    gain: Difference
    gap: float | None
    effect: Difference | None


def effect_table(records: Sequence[CellRecord]) -> Table | None:
    """The gains of one network family's methods in PSNR; None where there is nothing to compare or no PSNR.

    A column of means over the test sets is added where there are several; it takes the seeds that have all of them.
    """
    board = Scoreboard(records)
    metric = "psnr_db"
    values = _values(records, metric)
    columns = [column for column in board.columns if ("scratch", column) in values]
    methods = [label for label in board.methods if label != "scratch"]
    controls = {record.label: record.control for record in records if record.role == "student"}
    if not columns or not methods:
        return None
    groups = [[column] for column in columns] + ([columns] if len(columns) > 1 else [])
    effects = {
        (label, i): effect
        for label in methods
        for i, group in enumerate(groups)
        if (effect := _effect(values, label, controls[label], group))
    }
    if not effects:
        return None
    sure = _sure(effects.values())
    rows = [(label, *(_text(effects.get((label, i)), sure) for i in range(len(groups)))) for label in methods]
    titles = [f"{column.task}: {column.test_set}" for column in columns] + ["mean of the test sets"]
    header = ("method", *(f"{title}, gain / gap / effect" for title in titles[: len(groups)]))
    title = f"{records[0].network}: what is gained in {METRIC_TITLES[metric]} (dB)"
    return Table(title, header, tuple(rows), tuple(_notes(controls, methods, effects.values())))


def _values(records: Sequence[CellRecord], metric: str) -> Values:
    values: dict[tuple[str, Column], dict[int, float]] = {}
    for record in records:
        if metric in record.metrics:
            column = Column(record.task, record.test_set)
            values.setdefault((record.label, column), {})[record.seed] = record.metrics[metric]
    return values


def _effect(values: Values, label: str, control: str, columns: Sequence[Column]) -> Effect | None:
    """What a row gains on average over some columns; None where a seed has not been run on all of them."""
    gain = _difference(values, label, "scratch", columns)
    if gain is None:
        return None
    teacher = [values.get((TEACHER_ROWS["removal"], column), {}).values() for column in columns]
    alone = [values["scratch", column].values() for column in columns]
    reach = fmean(map(fmean, teacher)) - fmean(map(fmean, alone)) if all(teacher) else 0
    gap = gain.mean / reach if reach > 0 else None
    return Effect(gain, gap, _difference(values, label, control, columns) if control else None)


def _difference(values: Values, first: str, second: str, columns: Sequence[Column]) -> Difference | None:
    """The paired difference of two rows, averaged over the columns seed by seed."""
    ours, theirs = ([values.get((label, column), {}) for column in columns] for label in (first, second))
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in (*ours, *theirs))))
    if not seeds:
        return None
    means = ([fmean(by_seed[seed] for by_seed in side) for seed in seeds] for side in (ours, theirs))
    return paired_difference(*means)


def _sure(effects: Iterable[Effect]) -> set[Difference]:
    """The differences that stay significant after a correction for how many the table tests."""
    tested = [d for effect in effects for d in (effect.gain, effect.effect) if d and d.p_value is not None]
    adjusted = holm([d.p_value for d in tested if d.p_value is not None])
    return {d for d, p_value in zip(tested, adjusted, strict=True) if p_value < ALPHA}


def _text(effect: Effect | None, sure: set[Difference]) -> str:
    if effect is None:
        return "-"

    def signed(difference: Difference | None) -> str:
        if difference is None:
            return "-"
        spread = "" if difference.half_width is None else f" ± {difference.half_width:.2f}"
        return f"{difference.mean:+.2f}{spread}{' *' if difference in sure else ''}"

    gap = "-" if effect.gap is None else f"{100 * effect.gap:.0f} %"
    return f"{signed(effect.gain)} / {gap} / {signed(effect.effect)}"


def _notes(controls: Mapping[str, str], methods: Sequence[str], effects: Iterable[Effect]) -> Iterator[str]:
    yield (
        "gain: over `scratch`. gap: the gain as a share of the removal teacher's. effect, the distillation effect: "
        "over the method's control, the same loss with an oracle in the place of the teachers, which restores the "
        "clean image and has no features. What is no effect came from the loss's shape, and took no teacher."
    )
    by_control: dict[str, list[str]] = {}
    for method in methods:
        by_control.setdefault(controls[method], []).append(f"`{method}`")
    for control, rows in by_control.items():
        if control:
            yield f"Control of {', '.join(rows)}: `{control}`."
    num_pairs = sorted({effect.gain.num_pairs for effect in effects})
    if num_pairs[-1] < 2:
        yield "One seed: the spread is unknown, and nothing is tested."
    else:
        yield (
            f"±: half the width of the 95 % t interval over {'/'.join(map(str, num_pairs))} seeds, paired: methods "
            "start from the same weights and see the same batches. *: differs from zero at the 5 % level after Holm's "
            "correction for all tests of this table."
        )
