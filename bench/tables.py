"""Paper-style tables, rendered from records alone."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy
import pandas as pd
import scipy

from bench.atomic import write_atomically
from bench.effects import effect_table
from bench.fairness import cautions
from bench.family import Family, files_by_family, read_family
from bench.ranking import ranking_tables
from bench.record import TEACHER_ROWS, CellRecord, NetworkRecord
from bench.scoreboard import Scoreboard
from bench.stamps import has_source_changed, remembered
from bench.table import METRIC_TITLES, Table

VERSIONS = f"Python {sys.version}, numpy {numpy.__version__}, pandas {pd.__version__}, scipy {scipy.__version__}"
REFUSED = "refused, the comparison is not fair"
FILES = {".md": "", ".tex": "% ", "_effects.md": "", "_effects.tex": "% ", "_ranking.md": "", "_ranking.tex": "% "}
"""The files of tables of a network family by suffix, and how lines begin that are no table."""


def render(results: Path) -> dict[Path, str]:
    """Every table file of a results folder, by path; nothing is written.

    Where students of a network family cannot be compared, its files hold the reasons alone: see `refused`. Of a family
    with many records, what was rendered is remembered until one of them changes, or the program's source.
    """
    files: dict[Path, str] = {}
    for network, paths in files_by_family(results).items():
        texts = json.loads(_remembered_texts(network, paths, results))
        files |= {results / "tables" / f"{network}{suffix}": text for suffix, text in texts.items()}
    return files


def _remembered_texts(network: str, paths: Sequence[Path], results: Path) -> str:
    """The files of one network family as JSON."""
    kind = f"tables of {network} in {results.absolute()} by {VERSIONS}"
    values = (path.with_suffix(".csv") for path in paths)
    files = [*paths, *values, *(results / "networks").glob("*.json"), *Path(__file__).parent.rglob("*.py")]
    return remembered(
        kind,
        files,
        lambda: json.dumps(_texts(read_family(network, paths, results))),
        is_lasting=lambda _: not has_source_changed(),
    )


def refused(files: Mapping[Path, str]) -> list[str]:
    """Why students cannot be compared, out of rendered files; empty where all can."""
    pages = dict.fromkeys(text for path, text in files.items() if path.suffix == ".md" and f": {REFUSED}**" in text)
    return [line.removeprefix("- ") for page in pages for line in page.splitlines() if line.startswith("- ")]


def _texts(family: Family | None) -> dict[str, str]:
    """The files of one network family, by suffix; none where it has no score."""
    if family is None:
        return {}
    if family.unfair:
        lines = [f"**{family.network}: {REFUSED}**", "", *(f"- {reason}" for reason in family.unfair)]
        marks = FILES | {".csv": "# "}
        return {suffix: "".join(f"{mark}{line}\n" for line in lines) for suffix, mark in marks.items()}
    board = family.board
    effects = effect_table(board)
    shown = {"": [result_table(family)], "_effects": [effects] if effects else []}
    shown["_ranking"] = ranking_tables(family.network, family.rankings)
    texts = {}
    for name, tables in shown.items():
        if tables:
            texts[f"{name}.md"] = "\n".join(table.markdown() for table in tables)
            texts[f"{name}.tex"] = "\n".join(table.latex() for table in tables)
    return texts | {".csv": str(board.summary.to_csv(index=False))}


def write(files: dict[Path, str]) -> None:
    """Writes rendered files, each atomically."""
    for path, text in files.items():
        write_atomically(path, text.encode())


def result_table(family: Family) -> Table:
    """The table of one network family: methods by test sets, the degraded input and the teachers on top."""
    board, cost_of = family.board, family.cost_of
    records = board.records
    rows = []
    for label in board.labels:
        cost = cost_of.get(label)
        counts = (f"{cost.params_m:.3f}", f"{cost.macs_g:.3f}") if cost else ("", "")
        rows.append((label, *counts, *(board.cell(label, column) for column in board.columns)))
    header = ("method", "params (M)", "MACs (G)", *map(board.title, board.columns))
    notes = (
        *_cost_notes(board.methods, cost_of),
        *_training_notes(board),
        *cautions(records),
        *_import_notes(records),
        *_perceptual_notes(records),
        *_missing_notes(records),
        *_signature_notes(board.values),
    )
    return Table(board.network, header, tuple(rows), notes)


def _cost_notes(methods: Sequence[str], cost_of: Mapping[str, NetworkRecord]) -> Iterator[str]:
    student = next((cost_of[method] for method in methods if method in cost_of), None)
    teacher = cost_of.get(TEACHER_ROWS["removal"])
    if student and teacher:
        yield (
            f"The student has {1 - student.params_m / teacher.params_m:.1%} fewer parameters and "
            f"{1 - student.macs_g / teacher.macs_g:.1%} fewer MACs than the teacher. MACs are those of the modules at "
            f"{student.input_size}x{student.input_size} pixels, the count that papers print as FLOPs."
        )


def _training_notes(board: Scoreboard) -> Iterator[str]:
    """Steps and seeds, what the marks mean, and what is missing."""
    students = [record for record in board.records if record.role == "student" and record.status == "ok"]
    others = board.other_steps
    steps = f"{_slashed(board.usual_steps.values())} steps"
    steps += "".join(f", `{label}` {_slashed(counts)}" for label, counts in others.items())
    seeds = len({record.seed for record in students})
    spread = (
        "mean ± standard deviation" if seeds > 1 else "the spread between seeds is unknown, small gaps rank nothing"
    )
    of_equals = " among students of equal steps" if others else ""
    if students:
        yield f"Students: {steps}, seeds: {seeds}; {spread}. Best **bold**, second <u>underlined</u>{of_equals}."
    yield from dict.fromkeys(f"`{r.method}` on {r.task}: -, {r.reason}" for r in board.records if r.status == "skipped")


def _slashed(numbers: Iterable[int]) -> str:
    return "/".join(map(str, sorted(set(numbers))))


def _import_notes(records: Sequence[CellRecord]) -> Iterator[str]:
    """Which teachers were not trained here, and where their weights come from."""
    for record in records:
        if imported := record.config.get("imported"):
            origin = record.run.provenance
            source = f", {origin['weights_source']}" if origin["weights_source"] else ""
            yield (
                f"{TEACHER_ROWS[record.role]} on {record.test_set}: {imported['network']}/{imported['size']}, imported "
                f"from `{origin['weights_file']}`{source} (sha256 {imported['file_sha256'][:12]})"
            )


def _perceptual_notes(records: Sequence[CellRecord]) -> Iterator[str]:
    """By whose features methods compared images."""
    methods: dict[str, dict[str, None]] = {}
    for record in records:
        if perceptual := record.config.get("perceptual"):
            methods.setdefault(perceptual["features"], {})[f"`{record.method}`"] = None
    for features, names in methods.items():
        whose = "the removal teacher's encoder" if features == "removal teacher" else features
        yield f"Perceptual features of {', '.join(names)}: {whose}."


def _missing_notes(records: Sequence[CellRecord]) -> Iterator[str]:
    """Which metrics of a protocol could not be computed, and why."""
    reasons = {(key, r.test_set): reason for r in records for key, reason in r.unavailable.items()}
    for (key, test_set), reason in reasons.items():
        yield f"{METRIC_TITLES.get(key, key)} on {test_set} was not computed: {reason}"


def _signature_notes(values: pd.DataFrame) -> Iterator[str]:
    for (metric, signature), part in values.groupby(["metric", "signature"], sort=False):
        sets = ", ".join(sorted(part["test_set"].unique()))
        yield f"{METRIC_TITLES.get(str(metric), str(metric))} on {sets}: `{signature}`"
