"""Conclusions of two rankings that are not the same."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from bench.diff.tree import Tree
from bench.ranking import rankings
from bench.scoreboard import Column


class Turn(NamedTuple):
    """Two students of one ranking whose order is another.

    Attributes:
        columns: The test sets of the ranking.
        here: 1 where the first is above the second, -1 where it is below, 0 where they cannot be told apart.
        there: Likewise.
    """

    network: str
    columns: tuple[Column, ...]
    first: str
    second: str
    here: int
    there: int

    @property
    def is_reversed(self) -> bool:
        """Whether each side is sure of the contrary of the other."""
        return self.here * self.there < 0


Standings = dict[tuple[str, tuple[Column, ...], str, str], int]
"""By ranking and pair of students: 1 where the first is above, -1 where it is below, 0 where none can tell."""


def standings(tree: Tree) -> Standings:
    """The order of all students that stand in groups; a family that cannot be ranked has none."""
    found: Standings = {}
    for network, family in tree.families.items():
        for ranking in [] if network in tree.unfit else rankings(family.board, {}):
            for pair in combinations(sorted(ranking.compared, key=lambda label: (label == "scratch", label)), 2):
                sign = (pair in ranking.apart) - (pair[::-1] in ranking.apart)
                found[network, ranking.columns, *pair] = sign
    return found


def turns(here: Standings, there: Standings) -> Iterator[Turn]:
    """Pairs in the contrary order, and students whose difference to ``scratch`` is sure on one side alone."""
    for key in (key for key in here if key in there):
        turn = Turn(*key, here[key], there[key])
        if turn.is_reversed or (turn.second == "scratch" and turn.here != turn.there):
            yield turn
