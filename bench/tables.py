"""Paper-style tables, rendered from records alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.record import CellRecord, NetworkRecord, read_cells, read_networks, write_atomically

METRIC_TITLES = {
    "psnr_db": "PSNR",
    "ssim": "SSIM",
    "ssim_volume": "SSIM (volume)",
    "gmsd": "GMSD",
    "brisque": "BRISQUE",
    "piqe": "PIQE",
    "niqe": "NIQE",
}
LOWER_IS_BETTER = {"gmsd", "brisque", "piqe", "niqe"}
TASK_ORDER = ("deraining", "deblurring", "denoising", "dehazing")
INPUT_ROW = "degraded input"
TEACHER_ROWS = {"removal": "removal teacher", "reconstruction": "reconstruction teacher (sees clean)"}


@dataclass(frozen=True)
class Table:
    """A table ready to be printed.

    Attributes:
        title: What it shows.
        header: The column titles.
        rows: The cells, as Markdown; ``**best**`` and ``<u>second</u>`` are marked.
        notes: What a reader must know beside the numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """The table for GitHub."""
        rule = ("---", *("---:" for _ in self.header[1:]))
        body = "\n".join(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows))
        return f"**{self.title}**\n\n{body}\n\n" + "".join(f"- {note}\n" for note in self.notes)

    def latex(self) -> str:
        """The table for a paper that uses ``booktabs``."""
        head, *rows = (" & ".join(map(_latex, row)) + r" \\" for row in (self.header, *self.rows))
        lines = [f"% {text}" for text in (self.title, *self.notes)]
        lines += [rf"\begin{{tabular}}{{l{'r' * len(self.header[1:])}}}", r"\toprule", head, r"\midrule", *rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def render(results: Path) -> dict[Path, str]:
    """Every table file of a results folder, by path; nothing is written."""
    records, costs = list(read_cells(results)), list(read_networks(results))
    files: dict[Path, str] = {}
    for network in sorted({record.network for record in records if record.status == "ok"}):
        of_network = [record for record in records if record.network == network]
        table = result_table(of_network, [cost for cost in costs if cost.network == network])
        files[results / "tables" / f"{network}.md"] = table.markdown()
        files[results / "tables" / f"{network}.tex"] = table.latex()
        files[results / "tables" / f"{network}.csv"] = str(summarise(frame(of_network)).to_csv(index=False))
    return files


def write(files: dict[Path, str]) -> None:
    """Writes rendered files, each atomically."""
    for path, text in files.items():
        write_atomically(path, text.encode())


def frame(records: Sequence[CellRecord]) -> pd.DataFrame:
    """The tidy form of records: a row per seed and metric, with the degraded input as a method of its own."""
    rows = []
    for record in records:
        about = record.model_dump(include={"task", "network", "size", "seed", "test_set", "steps", "num_images"})
        for row, metrics in ((INPUT_ROW, record.input_metrics), (_label(record), record.metrics)):
            for metric, value in metrics.items():
                score = {"row": row, "metric": metric, "value": value, "signature": record.signatures[metric]}
                rows.append(about | score)
    return pd.DataFrame(rows)


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
        values: The tidy form of the records.
        columns: By task, then the lightest degradation first.
        metrics: The metrics of every column.
        labels: The rows.
        methods: Those of them that are students, among which the best are marked.
    """

    def __init__(self, records: Sequence[CellRecord]) -> None:
        self.values = frame(records)
        self._scores = {
            (score["row"], Column(score["task"], score["test_set"]), score["metric"]): score
            for score in summarise(self.values).to_dict("records")
        }
        columns = dict.fromkeys(Column(record.task, record.test_set) for record in records)
        self.metrics = {c: in_order({m for _, column, m in self._scores if column == c}) for c in columns}
        self.columns = sorted(columns, key=self._order)
        self.labels = sorted({INPUT_ROW, *map(_label, records)}, key=_row_order)
        self.methods = [label for label in self.labels if label not in (INPUT_ROW, *TEACHER_ROWS.values())]

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

    def _text(self, label: str, column: Column, metric: str) -> str:
        score = self._scores.get((label, column, metric))
        if score is None:
            return "-"
        text = number(score["mean"], metric)
        if label not in self.methods:
            return text
        if score["num_seeds"] > 1:
            text += f" ± {number(score['std'], metric)}"
        means = {s["mean"] for method in self.methods if (s := self._scores.get((method, column, metric)))}
        best, second, *_ = *sorted(means, reverse=metric not in LOWER_IS_BETTER), None, None
        if second is None:  # alone, or all alike
            return text
        return f"**{text}**" if score["mean"] == best else f"<u>{text}</u>" if score["mean"] == second else text


def result_table(records: Sequence[CellRecord], costs: Sequence[NetworkRecord]) -> Table:
    """The table of one network family: methods by test sets, the degraded input and the teachers on top."""
    board = Scoreboard(records)
    sizes = {_label(record): record.size for record in records}
    cost_of = {label: cost for label, size in sizes.items() for cost in costs if cost.size == size}
    rows = []
    for label in board.labels:
        cost = cost_of.get(label)
        counts = (f"{cost.params_m:.3f}", f"{cost.macs_g:.3f}") if cost else ("", "")
        rows.append((label, *counts, *(board.cell(label, column) for column in board.columns)))
    header = ("method", "params (M)", "MACs (G)", *map(board.title, board.columns))
    notes = (
        *_cost_notes(board.methods, cost_of),
        *_training_notes(records),
        *_import_notes(records),
        *_missing_notes(records),
        *_signature_notes(board.values),
    )
    return Table(records[0].network, header, tuple(rows), notes)


def _label(record: CellRecord) -> str:
    return TEACHER_ROWS.get(record.role, record.method)


def _cost_notes(methods: Sequence[str], cost_of: dict[str, NetworkRecord]) -> Iterator[str]:
    student = next((cost_of[method] for method in methods if method in cost_of), None)
    teacher = cost_of.get(TEACHER_ROWS["removal"])
    if student and teacher:
        yield (
            f"The student has {1 - student.params_m / teacher.params_m:.1%} fewer parameters and "
            f"{1 - student.macs_g / teacher.macs_g:.1%} fewer MACs than the teacher. MACs are those of the modules at "
            f"{student.input_size}x{student.input_size} pixels, the count that papers print as FLOPs."
        )


def _training_notes(records: Sequence[CellRecord]) -> Iterator[str]:
    """Steps and seeds, what the marks mean, and what is missing."""
    students = [record for record in records if record.role == "student" and record.status == "ok"]
    steps = "/".join(map(str, sorted({record.steps for record in students})))
    seeds = len({record.seed for record in students})
    spread = (
        "mean ± standard deviation" if seeds > 1 else "the spread between seeds is unknown, small gaps rank nothing"
    )
    if students:
        yield f"Students: {steps} steps, seeds: {seeds}; {spread}. Best **bold**, second <u>underlined</u>."
    yield from dict.fromkeys(f"`{r.method}` on {r.task}: -, {r.reason}" for r in records if r.status == "skipped")


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


def _missing_notes(records: Sequence[CellRecord]) -> Iterator[str]:
    """Which metrics of a protocol could not be computed, and why."""
    reasons = {(key, r.test_set): reason for r in records for key, reason in r.unavailable.items()}
    for (key, test_set), reason in reasons.items():
        yield f"{METRIC_TITLES.get(key, key)} on {test_set} was not computed: {reason}"


def _signature_notes(values: pd.DataFrame) -> Iterator[str]:
    for (metric, signature), part in values.groupby(["metric", "signature"], sort=False):
        sets = ", ".join(sorted(part["test_set"].unique()))
        yield f"{METRIC_TITLES.get(str(metric), str(metric))} on {sets}: `{signature}`"


def _task_order(task: str) -> tuple[int, str]:
    """The field's usual order, other tasks behind; ``denoising_sigma25`` is a kind of ``denoising``."""
    kind = task.partition("_")[0]
    return (TASK_ORDER.index(kind) if kind in TASK_ORDER else len(TASK_ORDER), task)


def _row_order(label: str) -> tuple[int, str]:
    """Input, teachers, the student alone, other methods, the project's own method."""
    first = [INPUT_ROW, *TEACHER_ROWS.values(), "scratch"]
    return (first.index(label) if label in first else len(first) + label.startswith("slkd"), label)


def in_order(metrics: Iterable[str]) -> list[str]:
    """PSNR first, then as the titles are listed; metrics without a title behind."""
    known = list(METRIC_TITLES)
    return sorted(metrics, key=lambda metric: (known.index(metric) if metric in known else len(known), metric))


def number(value: float, metric: str) -> str:
    """A score as it is printed: two digits of a decibel, four of a measure in [0, 1]."""
    return f"{value:.2f}" if metric.startswith("psnr") else f"{value:.4f}"


def _latex(cell: str) -> str:
    """A Markdown cell in LaTeX."""
    marks = {"%": r"\%", "_": r"\_", "±": r"$\pm$", "</u>": "}", "<u>": r"\underline{"}
    for markdown, latex in marks.items():
        cell = cell.replace(markdown, latex)
    opening, *rest = cell.split("**")
    return opening + "".join(r"\textbf{" + part if i % 2 == 0 else "}" + part for i, part in enumerate(rest))
