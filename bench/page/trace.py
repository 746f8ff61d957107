"""Which files the numbers of a network family are made from."""

from collections.abc import Sequence
from pathlib import Path

from bench.family import Family
from bench.page.evidence import Evidence, Seeds, cell_lines
from bench.record import NetworkRecord
from bench.scoreboard import INPUT_ROW, Column


class Trace:
    """Finds the files behind a number, and keeps both as evidence; the costs of networks are declared there already.

    Attributes:
        family: The family of the numbers.
    """

    def __init__(self, family: Family, results: Path, root: Path, evidence: Evidence) -> None:
        self.family = family
        self._evidence = evidence
        self._cells: dict[tuple[str, Column], list[Path]] = {}
        self._costs = {cost.size: cost_path(cost, results, root) for cost in family.costs}
        for path, record in family.records.items():
            cell = named(path, root)
            evidence.source(cell, cell_lines(cell, record))
            column = Column(record.task, record.test_set)
            self._cells.setdefault((record.label, column), []).append(cell)
            self._cells.setdefault((INPUT_ROW, column), [cell])  # every record of a test set has the same

    def of_scores(
        self, title: str, text: str, definition: Sequence[str], seeds: Seeds, columns: Sequence[Column]
    ) -> int:
        """The entry of a number that is made from the scores of some rows in some columns.

        Args:
            title: The row that the number stands in.
            text: The number, with its unit.
            definition: What it is.
            seeds: The scores of every row that it is made from, by seed.
            columns: The columns.
        """
        paths = [path for row in seeds for column in columns for path in self._cells.get((row, column), ())]
        return self._evidence.add(f"{title}, {self.family.network}, {on(columns)}", text, definition, seeds, paths)

    def of_cost(self, size: str, text: str, definition: str) -> int:
        """The entry of a count of a network."""
        title = f"{self.family.network} {size}"
        return self._evidence.add(title, text, (definition,), {}, (self._costs[size],))


def on(columns: Sequence[Column]) -> str:
    """What columns are called."""
    return f"{columns[0].task}: {columns[0].test_set}" if len(columns) == 1 else "the mean of the test sets"


def cost_path(cost: NetworkRecord, results: Path, root: Path) -> Path:
    """The record of a network's cost, as commands that run in the repository name it."""
    return named(results / "networks" / f"{cost.network}_{cost.size}.json", root)


def named(path: Path, root: Path) -> Path:
    """A file as commands that run in the repository name it."""
    return path.relative_to(root) if path.is_relative_to(root) else path
