"""What DVC shows of a results folder: mean scores as metrics, gains and loss terms as plots, from records alone."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.effects import METRIC
from bench.family import Family, read_families
from bench.scoreboard import Scoreboard
from bench.stats import paired_difference
from bench.table import METRIC_TITLES
from bench.values import read_history

METRICS = ("psnr_db", "ssim")
DIGITS = 4
"""After the point of a mean: as many as tables print of an SSIM."""
GAINS = ("network", "test_set", "method", "gain", "low", "high")
TERMS = ("method", "term", "step", "value")


def render(results: Path) -> dict[Path, str]:
    """The files that ``dvc metrics`` and ``dvc plots`` read, by path; nothing is written.

    ``metrics.json`` has the mean PSNR in dB and SSIM over the seeds, by task, network, test set and row of the tables.
    ``plots/gains.csv`` has what every method gains over ``scratch`` in dB, with the 95 % t interval where there are
    several seeds; ``plots/terms/TASK_NETWORK.csv`` the loss terms over the steps, as means over the seeds. A network
    family whose students cannot be compared is in none of them: its tables tell why.
    """
    families = [family for family in read_families(results) if not family.unfair]
    boards = [family.board for family in families]
    means = json.dumps(_means(boards), indent=2, sort_keys=True, allow_nan=False)
    files = {results / "metrics.json": f"{means}\n"}
    files[results / "plots" / "gains.csv"] = _csv(GAINS, (row for board in boards for row in _gains(board)))
    for family in families:
        for task in sorted({record.task for record in family.records.values()}):
            path = results / "plots" / "terms" / f"{task}_{family.network}.csv"
            files[path] = _csv(TERMS, _terms(family, task))
    return files


def _means(boards: Iterable[Scoreboard]) -> dict[str, Any]:
    """Mean scores over the seeds, by task, network, test set, row and title of the metric."""
    means: dict[str, Any] = {}
    for score in (score for board in boards for score in board.summary.to_dict("records")):
        if score["metric"] in METRICS:
            group = means
            for key in ("task", "network", "test_set", "row"):
                group = group.setdefault(score[key], {})
            group[METRIC_TITLES[score["metric"]]] = round(score["mean"], DIGITS)
    return means


def _gains(board: Scoreboard) -> Iterator[tuple[str, ...]]:
    """What the methods of a network family gain over the student alone, seed by seed."""
    for column, label in product(board.columns, board.methods):
        ours, alone = (board.seeds(row, [column], METRIC) for row in (label, "scratch"))
        seeds = [seed for seed in ours if seed in alone]
        if label == "scratch" or not seeds:
            continue
        gain = paired_difference([ours[seed] for seed in seeds], [alone[seed] for seed in seeds])
        # one seed tells no spread: an empty field, at which nothing is drawn
        ends = () if gain.half_width is None else (gain.mean - gain.half_width, gain.mean + gain.half_width)
        low_and_high = tuple(f"{end:.{DIGITS}f}" for end in ends) or ("", "")
        test_set = f"{column.task}: {column.test_set}"
        yield (board.network, test_set, label, f"{gain.mean:.{DIGITS}f}", *low_and_high)


def _terms(family: Family, task: str) -> Iterator[tuple[str, ...]]:
    """The loss terms of a task's students over the steps, as means over the seeds, in the order of the tables."""
    values: dict[tuple[str, str, int], list[float]] = {}
    students = {path.parent: r for path, r in family.records.items() if r.role == "student" and r.task == task}
    for folder, record in students.items():  # a cell's records on several test sets have one history
        for row, term in product(_history(folder), record.terms):
            values.setdefault((record.label, term, int(row["step"])), []).append(row[term])
    for (label, term, step), of_seeds in sorted(values.items(), key=lambda item: family.board.labels.index(item[0][0])):
        yield label, term, str(step), f"{fmean(of_seeds):.5g}"


def _history(folder: Path) -> Sequence[Mapping[str, float]]:
    """How the terms of a cell went; nothing where that was not kept, as in records of earlier releases."""
    path = folder / "terms.csv"
    return read_history(path) if path.exists() else ()


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
