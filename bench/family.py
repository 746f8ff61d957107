"""The records of a results folder, by network family: what tables, figures, pages and comparisons are made of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from bench.fairness import unfair
from bench.ranking import Ranking, rankings
from bench.record import CellRecord, NetworkRecord, cell_files, read_cell, read_networks
from bench.scoreboard import Column, Scoreboard
from bench.stamps import stamps_of

DEPTH = len(("cells", "TASK", "NETWORK", "SEED", "METHOD", "TEST_SET.json"))
"""How deep in a results folder runs write records."""


@dataclass(frozen=True)
class Family:
    """What is known of the networks of one family; at least one record is not skipped.

    Attributes:
        network: The registered family.
        records: Its records, by their files.
        costs: What its networks cost.
    """

    network: str
    records: Mapping[Path, CellRecord]
    costs: Sequence[NetworkRecord]

    @cached_property
    def unfair(self) -> list[str]:
        """Why its students cannot be compared; empty where they can."""
        return unfair(list(self.records.values()))

    @cached_property
    def board(self) -> Scoreboard:
        """Its mean scores.

        Raises:
            ValueError: Scores of one test set were computed in different ways.
        """
        return Scoreboard(list(self.records.values()))

    @property
    def images(self) -> dict[tuple[str, Column, int], Path]:
        """The file of values per image of a row in a column, by seed; records of skipped cells have none."""
        return {
            (record.label, Column(record.task, record.test_set), record.seed): path.with_suffix(".csv")
            for path, record in self.records.items()
        }

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Its students on every test set and in the mean over them; errors as those of `bench.ranking.rankings`."""
        return rankings(self.board, self.images)

    @cached_property
    def cost_of(self) -> dict[str, NetworkRecord]:
        """The cost of the network of every row."""
        sizes = {record.label: record.size for record in self.records.values()}
        return {label: cost for label, size in sizes.items() for cost in self.costs if cost.size == size}


def read_families(results: Path) -> list[Family]:
    """The families of a results folder, in the order of their names; those without a score are left out.

    They are kept, with what was computed of them, until a file changes or another folder is read: a report is made of
    them many times over.

    Raises:
        ValueError: A file is not a valid record; the message names it and what is wrong.
    """
    cells, costs = cell_files(results), (results / "networks").glob("*.json")
    stamps = stamps_of([*cells, *(path.with_suffix(".csv") for path in cells), *costs])
    return list(_families(results, json.dumps(stamps)))


@lru_cache(maxsize=1)
def _families(results: Path, stamps: str) -> tuple[Family, ...]:
    """The families of a results folder whose files have these stamps."""
    families = (read_family(network, paths, results) for network, paths in files_by_family(results).items())
    return tuple(family for family in families if family)


def read_family(network: str, paths: Iterable[Path], results: Path) -> Family | None:
    """One family from the files of its records; None where none of them has a score; errors as of `read_families`."""
    records = {path: read_cell(path) for path in paths}
    for path, record in records.items():
        if record.network != network:
            raise ValueError(f"{path}: a record of {record.network} in the place of one of {network}; move it")
    costs = [cost for cost in read_networks(results) if cost.network == network]
    is_scored = any(record.status == "ok" for record in records.values())
    return Family(network, records, costs) if is_scored else None


def files_by_family(results: Path) -> dict[str, list[Path]]:
    """The files of a results folder's cell records by family, in the order of their names.

    A file tells its family by its place; one that is not where runs write records is read. Errors as of
    `read_families`.
    """
    files: dict[str, list[Path]] = {}
    for path in cell_files(results):
        place = path.parts[len(results.parts) :]
        network = place[2] if len(place) == DEPTH else read_cell(path).network
        files.setdefault(network, []).append(path)
    return dict(sorted(files.items()))
