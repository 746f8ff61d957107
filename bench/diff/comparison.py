"""The comparison of two folders of records."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.diff.made import State, changes, state
from bench.diff.moves import Move, Place, Scores, judged, means
from bench.diff.scores import Unlike, images, reasons, scores
from bench.diff.tree import Tree
from bench.diff.turns import Turn, standings, turns

Side = Literal["here", "there"]


@dataclass(frozen=True)
class Comparison:
    """Two results folders side by side: ours, here, and the other, there.

    Attributes:
        cells: How many records that both have are in which state.
        lone: The seeds of rows that one side alone has.
        rows: Every row and metric that both have and that can be compared.
        means: The same for the mean of a column's students.
        changes: What differs in how the records of a cell were made, and in how many records; the most first.
        unlike: What is not compared, and why.
        turned: Conclusions that are not the same.
    """

    here: Path
    there: Path
    cells: Mapping[State, int]
    lone: Mapping[tuple[Side, Place], Sequence[int]]
    rows: tuple[Move, ...]
    means: tuple[Move, ...]
    changes: Mapping[str, int]
    unlike: tuple[str, ...]
    turned: tuple[Turn, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether there is something to compare, and all of it is the same or known to be within noise."""
        verdicts = {move.verdict for move in (*self.rows, *self.means)}
        is_reversed = any(turn.is_reversed for turn in self.turned)
        return bool(self.rows) and verdicts <= {"same", "within noise"} and not self.unlike and not is_reversed


def compare(here: Path, there: Path) -> Comparison:
    """Compares the records of two results folders.

    Raises:
        ValueError: A folder has no scored cells, a file is damaged, or a cell has two records; the message names it.
    """
    ours, theirs = Tree(here), Tree(there)
    both = [(record, theirs.runs[place][seed]) for place, seed, record in ours if theirs.has(place, seed)]
    made = Counter(change for one, other in both for change in changes(one, other))
    found = list(scores(ours, theirs))
    shared = [one for one in found if isinstance(one, Scores)]
    by_image = images(ours, theirs)
    return Comparison(
        here,
        there,
        Counter(state(*pair) for pair in both),
        {**_lone("here", ours, theirs), **_lone("there", theirs, ours)},
        tuple(judged(shared, by_image)),
        tuple(judged(list(means(shared)), by_image)),
        dict(sorted(made.items(), key=lambda change: (-change[1], change[0]))),
        (*_unfit(ours), *_unfit(theirs), *reasons(one for one in found if isinstance(one, Unlike))),
        tuple(turns(standings(ours), standings(theirs))),
    )


def _lone(side: Side, ours: Tree, theirs: Tree) -> dict[tuple[Side, Place], list[int]]:
    seeds: dict[tuple[Side, Place], list[int]] = {}
    for place, seed, _ in ours:
        if not theirs.has(place, seed):
            seeds.setdefault((side, place), []).append(seed)
    return seeds


def _unfit(tree: Tree) -> Iterator[str]:
    for network, why in tree.unfit.items():
        yield f"conclusions on {network} in {tree.folder}: {why}"
