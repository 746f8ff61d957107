"""Paper-style tables, rendered from records alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.record import CellRecord, NetworkRecord, read_cells, read_networks, write_atomically

METRIC_TITLES = {"psnr_db": "PSNR", "ssim": "SSIM", "ssim_volume": "SSIM (volume)"}
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
        label = TEACHER_ROWS.get(record.role, record.method)
        for row, metrics in ((INPUT_ROW, record.input_metrics), (label, record.metrics)):
            for metric, value in metrics.items():
                rows.append(
                    about | {"row": row, "metric": metric, "value": value} | {"signature": record.signatures[metric]}
                )
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


def result_table(records: Sequence[CellRecord], costs: Sequence[NetworkRecord]) -> Table:
    """The table of one network family: methods by test sets, the degraded input and the teachers on top."""
    values = frame(records)
    scores = {(s["row"], s["test_set"], s["metric"]): s for s in summarise(values).to_dict("records")}
    task_of = {record.test_set: record.task for record in records}
    metrics = {t: list(dict.fromkeys(m for _, test_set, m in scores if test_set == t)) for t in task_of}

    def order(test_set: str) -> tuple[tuple[int, str], float, str]:
        """By task, then the lightest degradation first."""
        quality = next((scores[INPUT_ROW, test_set, metric]["mean"] for metric in metrics[test_set]), 0.0)
        return _task_order(task_of[test_set]), -quality, test_set

    columns = sorted(task_of, key=order)
    size_of = {TEACHER_ROWS.get(r.role, r.method): r.size for r in records}
    cost_of = {label: cost for label, size in size_of.items() for cost in costs if cost.size == size}
    labels = sorted({*size_of, INPUT_ROW}, key=_row_order)
    methods = [label for label in labels if label not in (INPUT_ROW, *TEACHER_ROWS.values())]

    def text(label: str, test_set: str, metric: str) -> str:
        score = scores.get((label, test_set, metric))
        if score is None:
            return "-"
        shown = number(score["mean"], metric)
        if score["num_seeds"] > 1 and label in methods:
            shown += f" ± {number(score['std'], metric)}"
        rivals = sorted({s["mean"] for m in methods if (s := scores.get((m, test_set, metric)))}, reverse=True)
        if label not in methods or len(rivals) < 2 or score["mean"] not in rivals[:2]:
            return shown
        return f"**{shown}**" if score["mean"] == rivals[0] else f"<u>{shown}</u>"

    rows = [
        (
            label,
            *((f"{cost.params_m:.3f}", f"{cost.macs_g:.3f}") if (cost := cost_of.get(label)) else ("", "")),
            *(" / ".join(text(label, test_set, metric) for metric in metrics[test_set]) for test_set in columns),
        )
        for label in labels
    ]
    titles = (f"{task_of[t]}: {t}, {' / '.join(METRIC_TITLES.get(m, m) for m in metrics[t])}" for t in columns)
    notes = [*_cost_notes(methods, cost_of), *_training_notes(records), *_signature_notes(values)]
    return Table(records[0].network, ("method", "params (M)", "MACs (G)", *titles), tuple(rows), tuple(notes))


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


def _signature_notes(values: pd.DataFrame) -> Iterator[str]:
    for (metric, signature), part in values.groupby(["metric", "signature"], sort=False):
        sets = ", ".join(sorted(part["test_set"].unique()))
        yield f"{METRIC_TITLES.get(str(metric), str(metric))} on {sets}: `{signature}`"


def _task_order(task: str) -> tuple[int, str]:
    """The field's usual order, other tasks behind."""
    return (TASK_ORDER.index(task) if task in TASK_ORDER else len(TASK_ORDER), task)


def _row_order(label: str) -> tuple[int, str]:
    """Input, teachers, the student alone, other methods, the project's own method."""
    first = [INPUT_ROW, *TEACHER_ROWS.values(), "scratch"]
    return (first.index(label) if label in first else len(first) + label.startswith("slkd"), label)


def number(value: float, metric: str) -> str:
    """A score as it is printed: two digits of a decibel, four of a measure in [0, 1]."""
    return f"{value:.2f}" if metric.endswith("_db") else f"{value:.4f}"


def _latex(cell: str) -> str:
    """A Markdown cell in LaTeX."""
    marks = {"%": r"\%", "_": r"\_", "±": r"$\pm$", "</u>": "}", "<u>": r"\underline{"}
    for markdown, latex in marks.items():
        cell = cell.replace(markdown, latex)
    opening, *rest = cell.split("**")
    return opening + "".join(r"\textbf{" + part if i % 2 == 0 else "}" + part for i, part in enumerate(rest))
