"""What each method gains, and how much of that a teacher gave: the table beside the scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from bench.record import TEACHER_ROWS
from bench.scoreboard import Column, Scoreboard
from bench.stats import ALPHA, Difference, holm, paired_difference
from bench.table import METRIC_TITLES, Table

METRIC = "psnr_db"


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


def effect_table(board: Scoreboard) -> Table | None:
    """The gains of one network family's methods in PSNR; None where there is nothing to compare or no PSNR.

    A column of means over the test sets is added where there are several; it takes the seeds that have all of them.
    """
    columns = [column for column in board.columns if board.seeds("scratch", [column], METRIC)]
    methods = [label for label in board.methods if label != "scratch"]
    controls = {record.label: record.control for record in board.records if record.role == "student"}
    if not columns or not methods:
        return None
    groups = [[column] for column in columns] + ([columns] if len(columns) > 1 else [])
    effects = {
        (label, i): effect
        for label in methods
        for i, group in enumerate(groups)
        if (effect := _effect(board, label, controls[label], group))
    }
    if not effects:
        return None
    sure = _sure(effects.values())
    rows = [(label, *(_text(effects.get((label, i)), sure) for i in range(len(groups)))) for label in methods]
    titles = [f"{column.task}: {column.test_set}" for column in columns] + ["mean of the test sets"]
    header = ("method", *(f"{title}, gain / gap / effect" for title in titles[: len(groups)]))
    title = f"{board.network}: what is gained in {METRIC_TITLES[METRIC]} (dB)"
    return Table(title, header, tuple(rows), tuple(_notes(controls, methods, effects.values())))


def _effect(board: Scoreboard, label: str, control: str, columns: Sequence[Column]) -> Effect | None:
    """What a row gains on average over some columns; None where a seed has not been run on all of them."""
    gain = _difference(board, label, "scratch", columns)
    if gain is None:
        return None
    teacher, alone = (
        [board.seeds(row, [column], METRIC).values() for column in columns]
        for row in (TEACHER_ROWS["removal"], "scratch")
    )
    reach = fmean(map(fmean, teacher)) - fmean(map(fmean, alone)) if all(teacher) else 0
    gap = gain.mean / reach if reach > 0 else None
    return Effect(gain, gap, _difference(board, label, control, columns) if control else None)


def _difference(board: Scoreboard, first: str, second: str, columns: Sequence[Column]) -> Difference | None:
    """The paired difference of two rows, averaged over the columns seed by seed."""
    ours, theirs = (board.seeds(label, columns, METRIC) for label in (first, second))
    seeds = [seed for seed in ours if seed in theirs]
    return paired_difference([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]) if seeds else None


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
