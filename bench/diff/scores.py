"""The scores that two folders have in common, and what of them cannot be compared."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from bench.bootstrap import Crossed, crossed_bootstrap
from bench.diff.moves import Images, Place, Scores, where
from bench.diff.tree import Runs, Tree
from bench.record import CellRecord
from bench.table import METRIC_TITLES, in_order

MOST_ROWS = 10
"""That are named one by one."""


class Unlike(NamedTuple):
    """What of a row cannot be compared, and why."""

    place: Place
    reason: str


def scores(ours: Tree, theirs: Tree) -> Iterator[Scores | Unlike]:
    """All metrics of all rows that both have."""
    for place in (place for place in ours.runs if place in theirs.runs):
        here, there = ours.scored(place), theirs.scored(place)
        if not here or not there:
            if here or there:
                yield Unlike(place, f"skipped {'there' if here else 'here'}")
            continue
        for metric in in_order({key for record in (*here.values(), *there.values()) for key in record.metrics}):
            if why := _why_unlike(here, there, metric):
                yield Unlike(place, f"{METRIC_TITLES.get(metric, metric)}, {why}")
            else:
                sides = [{seed: record.metrics[metric] for seed, record in side.items()} for side in (here, there)]
                yield Scores(place, metric, sides[0], sides[1], _begin_alike(here, there))


def _why_unlike(here: Runs, there: Runs, metric: str) -> str:
    """Why a metric of a row cannot be compared; empty where it can."""
    sides = {"here": here.values(), "there": there.values()}
    for side, records in sides.items():
        if not all(metric in record.metrics for record in records):
            return f"which not all records have {side}; score those cells again"
    ways = {side: sorted({record.signatures[metric] for record in records}) for side, records in sides.items()}
    if len({*ways["here"], *ways["there"]}) > 1:
        found = ", ".join(f"`{' and '.join(names)}` {side}" for side, names in ways.items())
        return f"computed in different ways ({found}); score the cells of one side again"
    images = {record.config.get("test_data") for records in sides.values() for record in records} - {None}
    return "scored on different images; score the cells of one side again" if len(images) > 1 else ""


def _begin_alike(here: Runs, there: Runs) -> bool:
    """Whether a seed gave the same weights and training images on both sides; what is not told is taken to be alike.

    To pair what does not belong together costs degrees of freedom, but is no error.
    """
    facts: tuple[Callable[[CellRecord], Any], ...] = (
        lambda record: record.initial_sha256 or None,
        lambda record: record.config.get("training_data"),
    )
    told = [{fact(here[seed]), fact(there[seed])} - {None} for seed in here.keys() & there.keys() for fact in facts]
    return all(len(values) < 2 for values in told)


def images(ours: Tree, theirs: Tree) -> Images:
    """Tells the differences of scores by their values per image."""

    def difference(scores: Scores) -> Crossed | None:
        here = ours.per_image(scores.place, scores.here, scores.metric)
        there = theirs.per_image(scores.place, scores.there, scores.metric)
        if not here or here.keys() != there.keys():
            return None
        return crossed_bootstrap(np.array([[here[name] - there[name] for name in here]]))

    return difference


def reasons(unlike: Iterable[Unlike]) -> Iterator[str]:
    """Why rows are not compared, those of one column and reason together."""
    labels: dict[str, list[str]] = {}
    for place, reason in unlike:
        labels.setdefault(f"{place.network}, {where([place.column])}, {reason}", []).append(f"`{place.label}`")
    for reason, names in labels.items():
        yield f"{reason}: {', '.join(names) if len(names) <= MOST_ROWS else f'{len(names)} rows'}"
