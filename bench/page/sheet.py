"""What a table of the page is made of, before it is HTML."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

ABSENT = "\N{EN DASH}"
"""Printed where there is no number."""


class Number(NamedTuple):
    """A cell of a table.

    Attributes:
        text: As it is printed.
        spread: How far off it may be, as it is printed; empty where that is unknown.
        value: What rows are sorted by; None sorts behind all others.
        mark: Whether it is the best or the second best of the rows that are ranked.
        entry: Its number in `bench.page.evidence.Evidence`; None where nothing stands behind it.
        note: Its footnote: why there is no number.
    """

    text: str = ABSENT
    spread: str = ""
    value: float | None = None
    mark: Literal["", "best", "second"] = ""
    entry: int | None = None
    note: str = ""


class Heading(NamedTuple):
    """The title of a column.

    Attributes:
        title: As it is printed.
        kind: What it shows, such as a metric's key: columns of one kind are hidden together.
        better: Which end of it is better; empty where neither is.
    """

    title: str
    kind: str
    better: Literal["", "higher", "lower"] = ""


class Group(NamedTuple):
    """Columns under one title."""

    title: str
    headings: tuple[Heading, ...]


class Row(NamedTuple):
    """A line of a table.

    Attributes:
        label: Its name.
        kind: One of `bench.page.words.KINDS`.
        numbers: A cell for every heading.
        method: The method whose section tells more; empty where there is none.
        deviates: Whether that section names deviations from the paper.
        note: Its footnote: where the numbers of others come from.
    """

    label: str
    kind: str
    numbers: tuple[Number, ...]
    method: str = ""
    deviates: bool = False
    note: str = ""


class Sheet(NamedTuple):
    """A table of the page.

    Attributes:
        name: Its anchor.
        title: What it shows.
        groups: Its columns.
        pinned: Rows that stay on top: what is compared with, not what is compared.
        measured: The rows that are sorted.
        elsewhere: Rows that others print; never sorted or ranked.
        notes: What a reader must know beside the numbers.
        rows: What the rows are.
        is_sorted: Whether the rows stand by the first column, its better end first.
    """

    name: str
    title: str
    groups: tuple[Group, ...]
    pinned: tuple[Row, ...]
    measured: tuple[Row, ...]
    elsewhere: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    rows: str = "method"
    is_sorted: bool = False

    @property
    def headings(self) -> Iterator[Heading]:
        """The columns without their groups."""
        return (heading for group in self.groups for heading in group.headings)

    @property
    def order(self) -> str:
        """How the rows stand in the first column, as browsers call it."""
        return "none" if not self.is_sorted else "ascending" if next(self.headings).better == "lower" else "descending"

    @property
    def footnotes(self) -> list[str]:
        """What the notes of rows and cells say, each once; the first is number 1."""
        rows = (*self.pinned, *self.measured, *self.elsewhere)
        notes = (note for row in rows for note in (row.note, *(number.note for number in row.numbers)))
        return list(dict.fromkeys(filter(None, notes)))

    @property
    def deviates(self) -> bool:
        """Whether a row's method deviates from its paper."""
        return any(row.deviates for row in self.measured)


def by_first_column(rows: Sequence[Row], better: str) -> tuple[Row, ...]:
    """Rows by the values of the first column, its better end first, those without a value last.

    Args:
        rows: The rows.
        better: Which end is better, as in `Heading`.
    """

    def place(row: Row) -> tuple[bool, float]:
        value = row.numbers[0].value
        return value is None, (value or 0) if better == "lower" else -(value or 0)

    return tuple(sorted(rows, key=place))
