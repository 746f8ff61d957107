"""The records of a results folder, by network family: what tables, figures, pages and comparisons are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.fairness import unfair
from bench.ranking import Ranking, rankings
from bench.record import CellRecord, NetworkRecord, read_cell, read_networks
from bench.scoreboard import Column, Scoreboard


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

    Raises:
        ValueError: A file is not a valid record; the message names it and what is wrong.
    """
    records: dict[str, dict[Path, CellRecord]] = {}
    for path in sorted((results / "cells").rglob("*.json")):
        record = read_cell(path)
        records.setdefault(record.network, {})[path] = record
    costs = list(read_networks(results))
    return [
        Family(network, of_network, [cost for cost in costs if cost.network == network])
        for network, of_network in sorted(records.items())
        if any(record.status == "ok" for record in of_network.values())
    ]
