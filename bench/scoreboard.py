"""The scores of a network family: rows, columns, and their means over the seeds."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Literal, NamedTuple

import pandas as pd

from bench.record import TEACHER_ROWS, CellRecord, Metrics
from bench.table import LOWER_IS_BETTER, METRIC_TITLES, in_order, number

TASK_ORDER = ("deraining", "deblurring", "denoising", "dehazing")
INPUT_ROW = "degraded input"


def frame(records: Sequence[CellRecord]) -> pd.DataFrame:
    """The tidy form of records: a row per seed and metric, with the degraded input as a method of its own."""
    fields = ("task", "network", "size", "seed", "test_set", "steps", "num_images")
    rows = [
        (*about, row, metric, value, record.signatures[metric])
        for record in records
        for about in [[getattr(record, field) for field in fields]]
        for row, metrics in ((INPUT_ROW, record.input_metrics), (record.label, record.metrics))
        for metric, value in metrics.items()
    ]
    return pd.DataFrame(rows, columns=[*fields, "row", "metric", "value", "signature"])


def summarise(values: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds of every row, test set and metric.

    Raises:
        ValueError: Two records of one test set and metric carry different signatures: they cannot share a table.
    """
    for (test_set, metric), part in values.groupby(["test_set", "metric"]):
        if part["signature"].nunique() > 1:
            found = " and ".join(sorted(part["signature"].unique()))
            raise ValueError(f"{metric} on {test_set} was computed in different ways ({found}); run those cells again")
    axes = ["task", "network", "row", "test_set", "metric", "signature"]
    seeds = values.drop_duplicates([*axes, "seed"]).groupby(axes, sort=False)["value"]
    return seeds.agg(mean="mean", std="std", num_seeds="count").reset_index()


class Column(NamedTuple):
    """A column of scores: two tasks may share a test set, as two levels of noise do."""

    task: str
    test_set: str


class Scoreboard:
    """The mean scores of a network family's records, and the order in which they are shown.

    Attributes:
        records: The records, at least one.
        network: The family.
        values: Their tidy form.
        summary: Mean and standard deviation over the seeds.
        by_seed: The metrics of a row in a column by seed.
        columns: By task, then the lightest degradation first.
        metrics: The metrics of every column.
        labels: The rows.
        methods: Those of them that are students.
        usual_steps: How long most students of a column were trained; among these the best are marked.
        other_steps: How long the others were, by row.
    """

    def __init__(self, records: Sequence[CellRecord]) -> None:
        self.records = records
        self.network = records[0].network
        self.values = frame(records)
        self.summary = summarise(self.values)
        self.by_seed: dict[tuple[str, Column], dict[int, Metrics]] = {}
        for record in records:
            self.by_seed.setdefault((record.label, Column(record.task, record.test_set)), {})[record.seed] = (
                record.metrics
            )
        self._scores = {
            (score["row"], Column(score["task"], score["test_set"]), score["metric"]): score
            for score in self.summary.to_dict("records")
        }
        columns = dict.fromkeys(Column(record.task, record.test_set) for record in records)
        self.metrics = {c: in_order({m for _, column, m in self._scores if column == c}) for c in columns}
        self.columns = sorted(columns, key=self._order)
        self.labels = sorted({INPUT_ROW, *(record.label for record in records)}, key=_row_order)
        self.methods = [label for label in self.labels if label not in (INPUT_ROW, *TEACHER_ROWS.values())]
        trained = [record for record in records if record.role == "student" and record.status == "ok"]
        lengths: dict[Column, list[int]] = {}
        for record in trained:
            lengths.setdefault(Column(record.task, record.test_set), []).append(record.steps)
        self.usual_steps = {column: Counter(steps).most_common(1)[0][0] for column, steps in lengths.items()}
        self.other_steps: dict[str, set[int]] = {}
        for record in trained:
            if record.steps != self.usual_steps[Column(record.task, record.test_set)]:
                self.other_steps.setdefault(record.label, set()).add(record.steps)

    def seeds(self, label: str, columns: Sequence[Column], metric: str) -> dict[int, float]:
        """The score of a row by seed, averaged over some columns; only seeds that have all of them."""
        sides = [self.by_seed.get((label, column), {}) for column in columns]
        seeds = (seed for seed in sorted(sides[0]) if all(metric in side.get(seed, {}) for side in sides))
        return {seed: fmean(side[seed][metric] for side in sides) for seed in seeds}

    def _order(self, column: Column) -> tuple[tuple[int, str], float]:
        quality = next((self._scores[INPUT_ROW, column, metric]["mean"] for metric in self.metrics[column]), 0.0)
        return _task_order(column.task), -quality

    def title(self, column: Column) -> str:
        """The header of a column."""
        metrics = " / ".join(METRIC_TITLES.get(metric, metric) for metric in self.metrics[column])
        return f"{column.task}: {column.test_set}, {metrics}"

    def cell(self, label: str, column: Column) -> str:
        """All metrics of a row in a column."""
        return " / ".join(self._text(label, column, metric) for metric in self.metrics[column]) or "-"

    def mark(self, label: str, column: Column, metric: str) -> Literal["", "best", "second"]:
        """Whether a student's mean is the best or the second best of a column, among students of usual length."""
        score = self._scores.get((label, column, metric))
        ranked = [method for method in self.methods if method not in self.other_steps]
        if score is None or label not in ranked:
            return ""
        means = {s["mean"] for method in ranked if (s := self._scores.get((method, column, metric)))}
        best, second, *_ = *sorted(means, reverse=metric not in LOWER_IS_BETTER), None, None
        if second is None:  # alone, or all alike
            return ""
        return "best" if score["mean"] == best else "second" if score["mean"] == second else ""

    def _text(self, label: str, column: Column, metric: str) -> str:
        score = self._scores.get((label, column, metric))
        if score is None:
            return "-"
        text = number(score["mean"], metric)
        if label in self.methods and score["num_seeds"] > 1:
            text += f" ± {number(score['std'], metric)}"
        marks = {"best": f"**{text}**", "second": f"<u>{text}</u>"}
        return marks.get(self.mark(label, column, metric), text)


def _task_order(task: str) -> tuple[int, str]:
    """The field's usual order, other tasks behind; ``denoising_sigma25`` is a kind of ``denoising``."""
    kind = task.partition("_")[0]
    return (TASK_ORDER.index(kind) if kind in TASK_ORDER else len(TASK_ORDER), task)


def _row_order(label: str) -> tuple[int, str]:
    """Input, teachers, the student alone, other methods, the project's own method."""
    first = [INPUT_ROW, *TEACHER_ROWS.values(), "scratch"]
    return (first.index(label) if label in first else len(first) + label.startswith("slkd"), label)
