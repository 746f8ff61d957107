"""What stands behind every number of the page: values by seed, records, and the commands that make them again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from bench.origin import origin
from bench.record import CellRecord, NetworkRecord

LONG_TOPIC = "training data"
"""The one topic of an origin that is wider than its column."""
DIGITS = 6
"""Significant digits of the values by seed."""
Item = TypeVar("Item")
Seeds = Mapping[str, Mapping[int, float]]
"""Values by seed, of every row that a number was made from."""


class Pool(Generic[Item]):
    """Things that are kept once, however often they are needed.

    Attributes:
        items: The things, by their numbers.
    """

    def __init__(self) -> None:
        self.items: dict[Item, int] = {}

    def add(self, item: Item) -> int:
        """The number of a thing."""
        return self.items.setdefault(item, len(self.items))


class Evidence:
    """Collects what stands behind numbers; all that several numbers share is kept once.

    An entry is a title, a text, a definition, values by seed and files, each by its number in a pool.
    """

    def __init__(self) -> None:
        self._entries: list[list[Any]] = []
        self._texts = Pool[str]()
        self._lines = Pool[tuple[int, ...]]()
        self._rows = Pool[tuple[Any, ...]]()
        self._sources: dict[Path, int] = {}
        self._origins: list[list[Any]] = []

    def source(self, path: Path, lines: Mapping[str, str]) -> None:
        """Declares a file from which numbers are made.

        Args:
            path: As commands are to name it.
            lines: What is to be said of it, by topic.
        """
        add = self._texts.add
        told = [[add(topic), add(text.replace(str(path), "\0"))] for topic, text in lines.items()]
        self._sources[path] = len(self._origins)
        self._origins.append([add(str(path)), told])

    def add(self, title: str, text: str, definition: Sequence[str], seeds: Seeds, paths: Sequence[Path]) -> int:
        """Keeps what stands behind a number.

        Args:
            title: What the number is of.
            text: The number as it is printed, with its unit.
            definition: What it is, a sentence each.
            seeds: The values by seed that it was made from.
            paths: The files that it was made from; each was declared a source.

        Returns:
            The number of the entry.
        """
        rows = [
            self._rows.add((self._texts.add(row), tuple((seed, _rounded(value)) for seed, value in of_row.items())))
            for row, of_row in seeds.items()
            if of_row
        ]
        lines = self._lines.add(tuple(map(self._texts.add, definition)))
        sources = self._lines.add(tuple(sorted({self._sources[path] for path in paths})))
        self._entries.append([self._texts.add(title), self._texts.add(text), lines, rows, sources])
        return len(self._entries) - 1

    def json(self) -> str:
        """Everything as JSON that may stand inside an HTML script element."""
        content = {
            "texts": list(self._texts.items),
            "lines": list(self._lines.items),
            "rows": list(self._rows.items),
            "sources": self._origins,
            "entries": self._entries,
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def cell_lines(path: Path, record: CellRecord) -> dict[str, str]:
    """What is to be said of the record of a cell, by topic."""
    lines = ((LONG_TOPIC if line.startswith(LONG_TOPIC) else line[:10], line) for line in origin(path, record))
    return {topic.rstrip(): line[len(topic) + 1 :] for topic, line in lines}


def network_lines(record: NetworkRecord) -> dict[str, str]:
    """What is to be said of the costs of a network, by topic."""
    return dict(_network_lines(record))


def _network_lines(record: NetworkRecord) -> Iterator[tuple[str, str]]:
    yield "counted", f"for one image of {record.input_size}x{record.input_size} pixels"
    yield "complete", f"{record.macs_complete_g:.3f} G multiply-accumulates over every matrix product and convolution"
    if spent := record.measured:
        yield "latency", f"{spent.latency_ms:.1f} ms on {spent.device}, {spent.threads} threads, PyTorch {spent.torch}"
