"""What each method gains, and how much of that a teacher gave: the table beside the scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
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


class Effects(NamedTuple):
    """What the methods of a network family do.

    Attributes:
        parts: The test sets one by one, then all of them where there are several.
        methods: Every student but the one alone.
        controls: Of each method; empty for the controls themselves.
        cells: By method and part; a part is missing where a seed has not been run on all of its test sets.
        sure: The differences that differ from zero after a correction for how many are tested.
        notes: What a reader must know.
    """

    parts: tuple[tuple[Column, ...], ...]
    methods: tuple[str, ...]
    controls: Mapping[str, str]
    cells: Mapping[tuple[str, tuple[Column, ...]], Effect]
    sure: Set[Difference]
    notes: tuple[str, ...]


def find_effects(board: Scoreboard) -> Effects | None:
    """What one network family's methods gain in PSNR; None where there is nothing to compare or no PSNR.

    The mean over the test sets takes the seeds that have all of them.
    """
    columns = tuple(column for column in board.columns if board.seeds("scratch", [column], METRIC))
    methods = tuple(label for label in board.methods if label != "scratch")
    controls = {record.label: record.control for record in board.records if record.role == "student"}
    parts = (*((column,) for column in columns), *([columns] if len(columns) > 1 else []))
    cells = {
        (label, part): effect
        for label in methods
        for part in parts
        if (effect := _effect(board, label, controls[label], part))
    }
    if not cells:
        return None
    notes = tuple(_notes(controls, methods, cells.values()))
    return Effects(parts, methods, controls, cells, _sure(cells.values()), notes)


def effect_table(board: Scoreboard) -> Table | None:
    """The effects as a table, with a column for every part; None where there are none."""
    found = find_effects(board)
    if found is None:
        return None
    rows = [
        (label, *(_text(found.cells.get((label, part)), found.sure) for part in found.parts)) for label in found.methods
    ]
    titles = [
        f"{part[0].task}: {part[0].test_set}" if len(part) == 1 else "mean of the test sets" for part in found.parts
    ]
    header = ("method", *(f"{title}, gain / gap / effect" for title in titles))
    title = f"{board.network}: what is gained in {METRIC_TITLES[METRIC]} (dB)"
    return Table(title, header, tuple(rows), found.notes)


def _named(part: Sequence[Column]) -> str:
    return f"{part[0].task}: {part[0].test_set}" if len(part) == 1 else "mean of the test sets"


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


def _text(effect: Effect | None, sure: Set[Difference]) -> str:
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
