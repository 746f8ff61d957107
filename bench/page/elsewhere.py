"""Numbers that others print, as rows that stand below measured ones."""

from collections.abc import Iterator, Sequence

from bench.page.numbers import Numbers
from bench.page.sheet import Number, Row
from bench.published import PublishedTable, Reported, beside, protocol_differences
from bench.scoreboard import Column

NUM_RANKED = 3
"""Columns of groups, gains and gaps, which numbers of others do not have."""


def reported_rows(published: Sequence[PublishedTable], numbers: Numbers, columns: Sequence[Column]) -> tuple[Row, ...]:
    """What others print for the test sets of a task, digit by digit.

    Args:
        published: The tables of others.
        numbers: The measured numbers of a family.
        columns: The columns of the task.
    """
    rows: dict[tuple[str, str], dict[Column, Reported]] = {}
    for column in columns:
        for reported in beside(published, column.task, column.test_set):
            rows.setdefault((reported.table.source, reported.row.label), {})[column] = reported
    return tuple(_row(by_column, numbers, columns) for by_column in rows.values())


def _row(reported: dict[Column, Reported], numbers: Numbers, columns: Sequence[Column]) -> Row:
    first = next(iter(reported.values()))
    cells: list[Number] = []
    for column in columns:
        scores = reported[column].scores if column in reported else {}
        printed = [scores.get(metric) for metric in numbers.board.metrics[column]]
        cells += [Number() if text is None else Number(text) for text in printed]
        cells += [Number()] * NUM_RANKED
    counts = (first.row.params_m, first.row.macs_g)
    cells += [Number() if count is None else Number(f"{count:g}", value=count) for count in counts]
    note = " ".join(dict.fromkeys(text for by_set in reported.items() for text in _note(*by_set, numbers)))
    return Row(first.row.label, "elsewhere", tuple(cells), note=note)


def _note(column: Column, reported: Reported, numbers: Numbers) -> Iterator[str]:
    """Where a row comes from, and how its numbers were made otherwise than ours."""
    table, row = reported.table, reported.row
    yield f"{table.source}{f', who quote it from {row.quotes}' if row.quotes else ''}."
    yield f"Protocol: {table.protocol}."
    yield from (f"{difference}." for difference in protocol_differences(table, numbers.signatures[column]))
