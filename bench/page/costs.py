"""What networks cost, as a table of the page."""

from collections.abc import Sequence
from pathlib import Path

from bench.cost_table import cost_table
from bench.page.evidence import Evidence
from bench.page.numbers import PLUS_MINUS
from bench.page.sheet import Group, Heading, Number, Row, Sheet
from bench.page.trace import cost_path
from bench.record import NetworkRecord

NAMES = 2
"""Columns of the table that say which network it is; the last column is what others print."""


def cost_sheet(records: Sequence[NetworkRecord], results: Path, root: Path, evidence: Evidence) -> Sheet | None:
    """The costs of all networks of a results folder; None where there are none."""
    if not records:
        return None
    table = cost_table(records)
    titles = table.header[NAMES:-1]
    headings = (*(Heading(title, "cost") for title in titles), Heading(table.header[-1], "printed"))
    rows = [
        Row(f"{record.network} {record.size}", "network", _numbers(record, titles, row, results, root, evidence))
        for record, row in zip(records, (row[NAMES:] for row in table.rows), strict=True)
    ]
    groups = (Group(table.title, headings),)
    return Sheet("costs-of-networks", "What networks cost", groups, (), tuple(rows), notes=table.notes, rows="network")


def _numbers(
    record: NetworkRecord, titles: Sequence[str], texts: Sequence[str], results: Path, root: Path, evidence: Evidence
) -> tuple[Number, ...]:
    *counts, printed = texts
    path = cost_path(record, results, root)
    numbers = []
    for title, cell in zip(titles, counts, strict=True):
        text, _, spread = cell.partition(f" {PLUS_MINUS} ")
        if text == "-":
            numbers.append(Number())
            continue
        entry = evidence.add(f"{record.network} {record.size}", cell, (f"{title}.",), {}, (path,))
        numbers.append(Number(text, f"{PLUS_MINUS} {spread}" if spread else "", float(text), entry=entry))
    return (*numbers, Number(printed) if printed != "-" else Number())
