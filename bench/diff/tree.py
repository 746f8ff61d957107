"""The records of a results folder by their places in its tables, to be laid beside those of another."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

from bench.diff.moves import Place
from bench.family import Family, read_families
from bench.record import CellRecord
from bench.scoreboard import Column
from bench.values import read_per_image

Runs = dict[int, CellRecord]
"""The records of a row in a column, by seed."""


class Tree:
    """The records of a results folder.

    Attributes:
        folder: The folder.
        families: By name.
        unfit: Why students of a family cannot be ranked, by its name; each row can be compared all the same.
        runs: By row and column.
        files: Of the records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.families = {family.network: family for family in read_families(folder)}
        if not self.families:
            raise ValueError(
                f"{folder}: expected records of scored cells in {folder / 'cells'}, found none; give a results folder, "
                "such as results/quick"
            )
        self.unfit = {network: why for network, family in self.families.items() if (why := _why_unfit(family))}
        self.runs: dict[Place, Runs] = {}
        self.files: dict[tuple[Place, int], Path] = {}
        for family in self.families.values():
            for path, record in family.records.items():
                self._add(path, record)
        self.runs = dict(sorted(self.runs.items()))

    def _add(self, path: Path, record: CellRecord) -> None:
        place = Place(record.network, Column(record.task, record.test_set), record.label)
        if twin := self.files.get((place, record.seed)):
            raise ValueError(f"{path}: expected one record of a cell, but {twin} is of the same; delete one of them")
        self.files[place, record.seed] = path
        self.runs.setdefault(place, {})[record.seed] = record

    def __iter__(self) -> Iterator[tuple[Place, int, CellRecord]]:
        return ((place, seed, record) for place, runs in self.runs.items() for seed, record in runs.items())

    def has(self, place: Place, seed: int) -> bool:
        """Whether there is such a record."""
        return (place, seed) in self.files

    def scored(self, place: Place) -> Runs:
        """The records of a row in a column that are not skipped."""
        return {seed: record for seed, record in self.runs.get(place, {}).items() if record.status == "ok"}

    def per_image(self, place: Place, seeds: Iterable[int], metric: str) -> dict[str, float]:
        """The mean over some seeds for every image; empty where values of a seed are missing."""
        paths = [path.with_suffix(".csv") for seed in seeds if (path := self.files.get((place, seed)))]
        sides = [read_per_image(path).get(metric, {}) for path in paths if path.exists()]
        if not sides or len(sides) < len(paths) or any(side.keys() != sides[0].keys() for side in sides):
            return {}
        return {name: fmean(side[name] for side in sides) for name in sides[0]}


def _why_unfit(family: Family) -> str:
    if family.unfair:
        others = f" (and {len(family.unfair) - 1} more)" if len(family.unfair) > 1 else ""
        return f"the comparison is not fair, {family.unfair[0]}{others}"
    try:
        _ = family.board
    except ValueError as error:  # scores of one test set were computed in different ways
        return str(error)
    return ""
