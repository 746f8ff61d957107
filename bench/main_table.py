"""The main table of a results folder: the published methods by PSNR and SSIM, and which of them can be told apart."""

from collections.abc import Collection
from dataclasses import replace

from bench.family import Family
from bench.ranking import ranking_tables
from bench.record import CellRecord
from bench.table import Table
from bench.tables import result_table

METRICS = ("psnr_db", "ssim")


def main_tables(family: Family, methods: Collection[str]) -> list[Table]:
    """Scores beside the removal teacher's, and the ranking in the mean over the test sets where there are several.

    Controls and ablations are left out, and what is marked or corrected for is marked among the rows that are left.

    Args:
        family: The records.
        methods: The published methods; the others are variants of these.
    """
    records = {path: _brief(record) for path, record in family.records.items() if _is_shown(record, methods)}
    shown = Family(family.network, records, family.costs)
    scores = result_table(shown)
    return [
        replace(scores, title=f"{family.network}: the published methods"),
        *ranking_tables(family.network, shown.rankings[-1:]),
    ]


def _is_shown(record: CellRecord, methods: Collection[str]) -> bool:
    is_method = record.role == "student" and record.teacher == "trained" and record.method in methods
    return is_method or record.role == "removal"


def _brief(record: CellRecord) -> CellRecord:
    """A record with the metrics of the main table alone."""
    parts = ("metrics", "input_metrics", "signatures", "unavailable")
    return record.model_copy(
        update={part: {key: value for key, value in getattr(record, part).items() if key in METRICS} for part in parts}
    )
