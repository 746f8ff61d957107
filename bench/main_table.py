"""The main tables of a results folder: published methods by PSNR and SSIM, and the parts of our own method."""

from collections.abc import Collection
from dataclasses import replace

from bench.effects import effect_table
from bench.family import Family
from bench.ranking import ranking_tables
from bench.record import CellRecord
from bench.scoreboard import Scoreboard
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


def ablation_table(family: Family, method: str) -> Table | None:
    """What a method and its ablations gain, corrected for among themselves; None where there are no records of them.

    Args:
        family: The records.
        method: Its ablations are called after it: ``slkd_kl`` is one of ``slkd``.
    """
    shown = [
        record
        for record in family.records.values()
        if record.role != "student" or record.label == "scratch" or f"{record.method}_".startswith(f"{method}_")
    ]
    table = effect_table(Scoreboard(shown))
    return table and replace(table, title=f"{family.network}: what {method} and its parts gain in PSNR (dB)")


def _is_shown(record: CellRecord, methods: Collection[str]) -> bool:
    is_method = record.role == "student" and record.teacher == "trained" and record.method in methods
    return is_method or record.role == "removal"


def _brief(record: CellRecord) -> CellRecord:
    """A record with the metrics of the main table alone."""
    parts = ("metrics", "input_metrics", "signatures", "unavailable")
    return record.model_copy(
        update={part: {key: value for key, value in getattr(record, part).items() if key in METRICS} for part in parts}
    )
