"""What moved between two sides, and whether that is more than another seed would give."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal, NamedTuple

from bench.bootstrap import Crossed
from bench.record import TEACHER_ROWS
from bench.scoreboard import Column
from bench.stats import ALPHA, Difference, holm, paired_difference, unpaired_difference

ROUNDING = 1e-12
"""Relative; sums of another order differ by less, one pixel of a level more by more: scores are of 8-bit images."""
LEVEL = ALPHA / 2
"""Of the tests of rows, and of those of means: a false alarm among either comes in at most 5 % of comparisons."""
Verdict = Literal["same", "within noise", "more than noise", "noise unknown"]


class Place(NamedTuple):
    """A row of a family's table in one column."""

    network: str
    column: Column
    label: str

    def __str__(self) -> str:
        return f"{self.network}, {where([self.column])}, {self.label}"


class Scores(NamedTuple):
    """One metric of a row on both sides, by seed, at least one each.

    Attributes:
        is_paired: Whether a seed stands for the same initial weights and training images on both sides, as far as
            records tell.
    """

    place: Place
    metric: str
    here: Mapping[int, float]
    there: Mapping[int, float]
    is_paired: bool


class Move(NamedTuple):
    """What one metric of a row differs by.

    Attributes:
        here: Mean over the compared seeds.
        there: Likewise.
        difference: Here less there. For one seed its interval is over the images, and there is no p value.
        basis: What was compared, in words.
        verdict: Whether it is more than another seed would give.
    """

    place: Place
    metric: str
    here: float
    there: float
    difference: Difference
    basis: str
    verdict: Verdict


Images = Callable[[Scores], Crossed | None]
"""The difference of scores by their values per image; None where there are no images in common."""


def judged(scores: Sequence[Scores], images: Images) -> list[Move]:
    """What moved, by how much, and whether it is more than noise, after Holm's correction for all that was tested.

    What is the same is no test: nothing is left there to chance. The spread is that of each row alone: rows of one seed
    saw the same batches and move together, so that pooling it would take one draw for many.
    """
    moves = [_move(one, images) for one in scores]
    p_values = {i: move.difference.p_value for i, move in enumerate(moves)}
    tested = {i: p_value for i, p_value in p_values.items() if p_value is not None}
    verdicts: dict[int, Verdict] = {
        i: "more than noise" if p_value < LEVEL else "within noise"
        for i, p_value in zip(tested, holm(list(tested.values())), strict=True)
    }
    return [move._replace(verdict=verdicts.get(i, move.verdict)) for i, move in enumerate(moves)]


def _move(scores: Scores, images: Images) -> Move:
    """What a row differs by, not yet judged; of several seeds, those that both have where they are paired."""
    both = sorted(scores.here.keys() & scores.there.keys())
    is_single = min(len(scores.here), len(scores.there)) < 2
    if both and (is_single or (scores.is_paired and len(both) > 1)):
        here, there = ({seed: side[seed] for seed in both} for side in (scores.here, scores.there))
        scores = scores._replace(here=here, there=there)
    means = fmean(scores.here.values()), fmean(scores.there.values())
    if is_same(scores.here, scores.there):
        still = Difference(means[0] - means[1], None, None, len(both))
        return Move(scores.place, scores.metric, *means, still, _seeds(len(both)), "same")
    return Move(scores.place, scores.metric, *means, *_difference(scores, images), "noise unknown")


def _difference(scores: Scores, images: Images) -> tuple[Difference, str]:
    """The difference, and what was compared, in words."""
    ours, theirs = list(scores.here.values()), list(scores.there.values())
    if min(len(ours), len(theirs)) < 2:
        return _over_images(fmean(ours) - fmean(theirs), images(scores))
    if scores.is_paired and scores.here.keys() == scores.there.keys():
        return paired_difference(ours, theirs), f"{_seeds(len(ours))}, paired"
    return unpaired_difference(ours, theirs), f"{len(ours)} and {_seeds(len(theirs))}"


def _over_images(mean: float, found: Crossed | None) -> tuple[Difference, str]:
    """The difference of one seed, with the interval over the images where these are the ones of its scores."""
    if found is None:
        return Difference(mean, None, None, 1), "1 seed"
    if not math.isclose(found.mean, mean, abs_tol=1e-6):
        return Difference(mean, None, None, 1), "1 seed, whose values per image are of other scores"
    if found.half_width is None or not math.isfinite(found.half_width):  # where all but a few images are as they were
        return Difference(mean, None, None, 1), f"1 seed, too few of {found.num_images} images moved for an interval"
    return Difference(mean, found.half_width, None, 1), f"1 seed, {found.num_images} images"


def is_same(here: Mapping[Any, float], there: Mapping[Any, float]) -> bool:
    """Whether both have the same values, but for rounding."""
    return here.keys() == there.keys() and all(math.isclose(here[k], there[k], rel_tol=ROUNDING) for k in here)


def means(scores: Iterable[Scores]) -> Iterator[Scores]:
    """The mean of the students of a column, of those that have the seeds that most of them have; at least two."""
    parts: dict[tuple[str, Column, str], list[Scores]] = {}
    for one in scores:
        if one.place.label not in TEACHER_ROWS.values():
            parts.setdefault((one.place.network, one.place.column, one.metric), []).append(one)
    for (network, column, metric), rows in parts.items():
        seeds = Counter((tuple(sorted(row.here)), tuple(sorted(row.there))) for row in rows)
        usual = max(seeds, key=lambda sides: (seeds[sides], len(sides[0])))
        alike = [row for row in rows if (tuple(sorted(row.here)), tuple(sorted(row.there))) == usual]
        if len(alike) > 1:
            here = {seed: fmean(row.here[seed] for row in alike) for seed in usual[0]}
            there = {seed: fmean(row.there[seed] for row in alike) for seed in usual[1]}
            place = Place(network, column, f"mean of {len(alike)} students")
            yield Scores(place, metric, here, there, all(row.is_paired for row in alike))


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def where(columns: Sequence[Column]) -> str:
    """What a score or a ranking is of."""
    return f"{columns[0].task}: {columns[0].test_set}" if len(columns) == 1 else "the mean of the test sets"
