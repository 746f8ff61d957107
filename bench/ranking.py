"""Which students can be told apart: a table for every test set, rows by their mean PSNR."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from bench.bootstrap import crossed_bootstrap
from bench.record import TEACHER_ROWS
from bench.scoreboard import Column, Scoreboard
from bench.stats import (
    ALPHA,
    Array,
    Mean,
    Share,
    gap_recovered,
    letters,
    mean_interval,
    pairwise_tests,
    smallest_difference,
)
from bench.table import Table
from bench.values import read_per_image

METRIC = "psnr_db"
TOO_MANY = (
    "groups: how many rows are surely below and above one, as there are more groups of rows that cannot be told apart "
    "than letters"
)
HEADER = ("method", "PSNR (dB)", "groups", "over `scratch` (dB)", "gap")
Files = Mapping[tuple[str, Column, int], Path]
"""The values per image of a row in a column, by seed."""


class Images(NamedTuple):
    """PSNR per image: names, and values of the same order."""

    names: tuple[str, ...]
    values: Array


Read = Mapping[tuple[str, Column, int], Images]


class Ranked(NamedTuple):
    """A student in a ranking.

    Attributes:
        label: Its row.
        psnr: Mean PSNR over the seeds, in dB.
        groups: The letters of its groups; empty where it is in none, and where there are more groups than letters.
        over: How far it is above the student alone, in dB, with the interval for other seeds and other images; None for
            the student alone, and where the two have no seed in common.
        gap: The share of the removal teacher's lead over the student alone that this is; None likewise, and where the
            teacher does not lead.
    """

    label: str
    psnr: Mean
    groups: str
    over: Mean | None
    gap: Share | None


class Ranking(NamedTuple):
    """The students of a family by their mean PSNR on one test set, or in the mean over several; at least two.

    Attributes:
        columns: The test sets.
        rows: The best first.
        compared: The labels of those that were tested against one another.
        apart: The pairs of them that can be told apart, the better one first.
        notes: What was compared how, and which rows were not.
    """

    columns: tuple[Column, ...]
    rows: tuple[Ranked, ...]
    compared: tuple[str, ...]
    apart: frozenset[tuple[str, str]]
    notes: tuple[str, ...]

    def told(self, row: Ranked) -> str:
        """The letters of a row, or how many rows it is surely above and below; empty where it was not compared."""
        if row.groups or row.label not in self.compared:
            return row.groups
        above, below = ([pair[place] for pair in self.apart].count(row.label) for place in (0, 1))
        return f"{above} below, {below} above"


class Groups(NamedTuple):
    """Which rows cannot be told apart.

    Attributes:
        seeds: The seeds that all compared rows have.
        compared: The rows that were tested against one another, which takes two seeds.
        apart: The pairs that can be told apart, the better one first.
        letters: By compared row; rows that share one cannot be told apart. Empty where there are too few letters.
        sd: The pooled standard deviation of the paired differences, in dB; 0 where nothing is compared.
    """

    seeds: tuple[int, ...]
    compared: tuple[str, ...] = ()
    apart: frozenset[tuple[str, str]] = frozenset()
    letters: Mapping[str, str] = {}
    sd: float = 0.0


def rankings(board: Scoreboard, files: Files) -> list[Ranking]:
    """The ranking in every column and in the mean over the test sets; none where there are less than two students.

    Args:
        board: The scores.
        files: Where the values per image are; rows without have no interval over images, and a note says so.

    Raises:
        ValueError: Two rows of one column were scored on different images.
    """
    columns = [column for column in board.columns if METRIC in board.metrics[column]]
    parts = [[column] for column in columns] + ([columns] if len(columns) > 1 else [])
    wanted = {(label, column) for label in board.methods for column in columns}
    read = {key: _read(path) for key, path in files.items() if key[:2] in wanted and path.exists()}
    return [ranking for part in parts if (ranking := _ranking(board, part, read))]


def ranking_tables(network: str, ranked: Sequence[Ranking]) -> list[Table]:
    """The rankings of a family as tables; the last of them has the legend."""
    tables = [_table(network, ranking) for ranking in ranked]
    return [*tables[:-1], *(replace(table, notes=(*table.notes, *_legend())) for table in tables[-1:])]


def _read(path: Path) -> Images:
    values = read_per_image(path).get(METRIC, {})
    return Images(tuple(values), np.fromiter(values.values(), float, len(values)))


def _ranking(board: Scoreboard, columns: Sequence[Column], read: Read) -> Ranking | None:
    """The ranking by the mean over some columns."""
    of_rows = {label: seeds for label in board.methods if (seeds := board.seeds(label, columns, METRIC))}
    scores = dict(sorted(of_rows.items(), key=lambda row: -fmean(row[1].values())))
    if len(scores) < 2:
        return None
    groups = _groups(scores, board.other_steps)
    rows = (
        Ranked(
            label,
            mean_interval(list(seeds.values())),
            groups.letters.get(label, ""),
            *_beside_scratch(board, label, columns, read),
        )
        for label, seeds in scores.items()
    )
    notes = (
        *_group_notes(groups),
        *_other_notes(scores, groups, board.other_steps),
        *_image_notes(scores, columns, read),
    )
    return Ranking(tuple(columns), tuple(rows), groups.compared, groups.apart, notes)


def _table(network: str, ranking: Ranking) -> Table:
    first = ranking.columns[0]
    on = f"{first.task}: {first.test_set}" if len(ranking.columns) == 1 else "the mean of the test sets"
    rows = tuple(
        (row.label, _psnr(row.psnr), ranking.told(row) or "-", _over(row.over), _share(row.gap)) for row in ranking.rows
    )
    return Table(f"{network}: ranking on {on}", HEADER, rows, ranking.notes)


def _beside_scratch(
    board: Scoreboard, label: str, columns: Sequence[Column], read: Read
) -> tuple[Mean | None, Share | None]:
    """The difference of a row to the student alone, and the gap that it recovers, from the seeds that both have."""
    seeds, alone = (board.seeds(row, columns, METRIC) for row in (label, "scratch"))
    both = [seed for seed in seeds if seed in alone]
    if label == "scratch" or not both:
        return None, None
    ours, theirs = ([side[seed] for seed in both] for side in (seeds, alone))
    teachers = board.seeds(TEACHER_ROWS["removal"], columns, METRIC)
    gap = gap_recovered(ours, theirs, fmean(teachers.values())) if teachers else None
    differences = _differences(read, label, columns, both)
    if differences is None:
        return Mean(fmean(ours) - fmean(theirs), None), gap
    return Mean(*crossed_bootstrap(differences)[:2]), gap


def _groups(scores: Mapping[str, Mapping[int, float]], other_steps: Mapping[str, object]) -> Groups:
    """Compares the rows of usual length that have the seeds which most of them have."""
    by_seeds = {label: tuple(seeds) for label, seeds in scores.items() if label not in other_steps}
    counts = Counter(by_seeds.values())
    usual = max(counts, key=lambda seeds: (counts[seeds], len(seeds)), default=())
    compared = [label for label, seeds in by_seeds.items() if seeds == usual]
    if len(usual) < 2 or len(compared) < 2:
        return Groups(usual)
    values = np.array([[scores[label][seed] for seed in usual] for label in compared])
    p_values, sd = pairwise_tests(values)
    means = list(values.mean(1))
    apart = frozenset(
        (compared[i], compared[j])
        for i, j in itertools.permutations(range(len(compared)), 2)
        if p_values[i, j] < ALPHA and means[i] > means[j]
    )
    names = map("".join, letters(p_values, means) or ())
    return Groups(usual, tuple(compared), apart, dict(zip(compared, names, strict=False)), sd)


def _differences(read: Read, label: str, columns: Sequence[Column], seeds: Sequence[int]) -> Array | None:
    """How far a row is above the student alone, (seeds, images); None where values per image are missing.

    In a mean over test sets, an image is what has one name: where test sets degrade the same scenes, these are drawn
    together.
    """
    keys = [(row, column, seed) for column in columns for row in (label, "scratch") for seed in seeds]
    if any(key not in read for key in keys):
        return None
    names = {column: read[label, column, seeds[0]].names for column in columns}
    for row, column, seed in keys:
        if read[row, column, seed].names != names[column]:
            raise ValueError(
                f"{column.task}/{column.test_set}: {row} with seed {seed} and {label} with seed {seeds[0]} were scored "
                "on different images; score the cells of this test set again"
            )
    units = {name: i for i, name in enumerate(dict.fromkeys(name for column in columns for name in names[column]))}
    differences = np.zeros((len(seeds), len(units)))
    for column in columns:
        ours, theirs = (np.stack([read[row, column, seed].values for seed in seeds]) for row in (label, "scratch"))
        share = len(units) / len(columns) / len(names[column])  # the mean over the units is that of the test sets
        differences[:, [units[name] for name in names[column]]] += (ours - theirs) * share
    return differences


def _psnr(psnr: Mean) -> str:
    return f"{psnr.value:.2f}{_spread(psnr.half_width)}"


def _over(over: Mean | None) -> str:
    return "-" if over is None else f"{over.value:+.2f}{_spread(over.half_width)}"


def _spread(half_width: float | None) -> str:
    return "" if half_width is None else f" ± {half_width:.2f}"


def _share(gap: Share | None) -> str:
    if gap is None:
        return "-"
    bounds = "" if gap.low is None or gap.high is None else f" [{100 * gap.low:.0f}, {100 * gap.high:.0f}]"
    return f"{100 * gap.value:.0f} %{bounds}"


def _group_notes(groups: Groups) -> Iterator[str]:
    num_seeds, num_rows = len(groups.seeds), len(groups.compared)
    if num_seeds == 1:
        yield "One seed: nothing is ranked. Rows stand by their means, and another seed may turn them round."
    if num_rows:
        says = "Rows that share a letter cannot be told apart" if groups.letters else TOO_MANY
        yield (
            f"{says}: paired t tests over {num_seeds} seeds at the 5 % level, "
            f"after Holm's correction for all {num_rows * (num_rows - 1) // 2} pairs. The smallest true difference "
            f"that one test finds with a power of 80 % is {smallest_difference(groups.sd, num_seeds):.2f} dB, and the "
            f"correction asks for more (standard deviation of the differences, pooled: {groups.sd:.2f} dB)."
        )


def _other_notes(
    scores: Mapping[str, Mapping[int, float]], groups: Groups, other_steps: Mapping[str, set[int]]
) -> Iterator[str]:
    """Which rows are in no group, and why."""
    for label, seeds in scores.items():
        if label in other_steps:
            yield f"`{label}` is in no group: trained for {'/'.join(map(str, sorted(other_steps[label])))} steps."
        elif tuple(seeds) != groups.seeds:
            yield f"`{label}` is in no group: its seeds are {', '.join(map(str, seeds))}, others have more or others."


def _image_notes(scores: Mapping[str, Mapping[int, float]], columns: Sequence[Column], read: Read) -> Iterator[str]:
    """Which rows lack values per image."""
    lacking = [
        f"`{label}`"
        for label, seeds in scores.items()
        if any((label, column, seed) not in read for column in columns for seed in seeds)
    ]
    if lacking:
        yield f"{', '.join(lacking)}: no interval over `scratch`, as there are no values per image."


def _legend() -> Iterator[str]:
    yield (
        "PSNR: mean over the seeds, ± half the width of its 95 % t interval. over `scratch`: paired by seed and image, "
        "± half the width of the 95 % interval for other seeds and other images; with one seed, for other images "
        "alone. gap: the share of the removal teacher's lead over `scratch`, with Fieller's 95 % interval over the "
        "seeds where it has bounds. docs/statistics.md has the formulas."
    )
