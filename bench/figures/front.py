"""The Pareto front: what nothing else is both cheaper and better than."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """What something costs, where less is better, and how good it is, where more is better."""

    cost: float
    quality: float


def pareto_front(points: Iterable[Point]) -> list[Point]:
    """The points that no other dominates, the cheapest first: all others cost more or are worse, or are the same.

    Both costs and qualities of the front rise from point to point.
    """
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.quality)):
        if not front or point.quality > front[-1].quality:
            front.append(point)
    return front


def steps(front: Sequence[Point]) -> list[tuple[float, float]]:
    """The corners of the line from each point of a front level to the cost of the next, then up to it."""
    corners = [(after.cost, before.quality) for before, after in pairwise(front)]
    return [point for pair in zip(front, corners, strict=False) for point in pair] + [*front[-1:]]
