"""The model card of an exported network: what it restores, how it was made, what it costs, from records alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.export_record import ExportRecord
from bench.origin import origin
from bench.record import CellRecord, NetworkRecord
from bench.table import METRIC_TITLES, Table, in_order, number

FILE = "README.md"
TEMPLATE = "card.md"


def card(
    export: ExportRecord,
    scored: Mapping[Path, CellRecord],
    beside: Sequence[CellRecord],
    costs: Mapping[str, NetworkRecord],
    words: Mapping[str, str],
) -> str:
    """The card as Markdown.

    Args:
        export: What was written.
        scored: The records of the cell.
        beside: Those of the student alone and of the removal teacher, to compare with.
        costs: By row of the tables, what its network costs.
        words: What declarations say: ``task``, ``train_set``, ``licence``, ``method``, ``citation``, ``deviations``.
    """
    template = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # Markdown, of records and declarations
    ).get_template(TEMPLATE)  # fmt: skip
    path, first = next(iter(scored.items()))
    own, teacher = costs.get(first.label), costs.get("removal teacher")
    is_smaller = own is not None and teacher is not None and own.params_m < teacher.params_m
    return template.render(
        export=export, record=first, imported=first.config.get("imported"), words=words, own=own,
        teacher=teacher if is_smaller else None,
        formats=[file.format for file in export.files], scores=_scores(list(scored.values()), beside).markdown(),
        files=_files(export).markdown(), timings=_timings(export).markdown(), origin="\n".join(origin(path, first)),
    )  # fmt: skip


def _scores(scored: Sequence[CellRecord], beside: Sequence[CellRecord]) -> Table:
    """The means on every test set, beside those of the degraded images and of other networks."""
    columns = [(record.test_set, metric) for record in scored for metric in in_order(record.metrics)]
    own = {record.test_set: record for record in scored}
    rows = [("degraded input", {test_set: record.input_metrics for test_set, record in own.items()})]
    for label in dict.fromkeys(record.label for record in beside):
        rows.append((label, {record.test_set: record.metrics for record in beside if record.label == label}))
    rows.append((f"**{scored[0].label}**", {test_set: record.metrics for test_set, record in own.items()}))
    signatures = {(metric, record.signatures[metric]): None for record in scored for metric in in_order(record.metrics)}
    return Table(
        "Means over the test images",
        ("", *(f"{test_set}, {METRIC_TITLES.get(metric, metric)}" for test_set, metric in columns)),
        tuple((label, *(_value(values, *column) for column in columns)) for label, values in rows),
        tuple(f"{METRIC_TITLES.get(metric, metric)}: `{signature}`" for metric, signature in signatures),
    )


def _value(values: Mapping[str, Mapping[str, float]], test_set: str, metric: str) -> str:
    value = values.get(test_set, {}).get(metric)
    return "-" if value is None else number(value, metric)


def _files(export: ExportRecord) -> Table:
    rows = [
        (f"`{file.file}`", file.format, f"{file.num_bytes / 1e6:.2f}", f"{file.largest_difference:.1e}", file.sha256)
        for file in export.files
    ]
    notes = ("difference: the largest from what the network restores in PyTorch, over images of five sizes, of 1.",)
    return Table("Files", ("file", "format", "MB", "difference", "sha256"), tuple(rows), notes)


def _timings(export: ExportRecord) -> Table:
    side = f"{export.input_size}x{export.input_size}"
    rows = [
        (timing.file or "in PyTorch", f"{timing.runtime} {timing.version}", f"{timing.latency_ms:.1f}",
         f"{timing.latency_iqr_ms:.1f}") for timing in export.timings
    ]  # fmt: skip
    notes = (f"Median of {side} images, one at a time; CPU threads: {export.threads}, {export.device}.",)
    return Table("Latency", ("what", "runtime", "ms", "quartiles apart, ms"), tuple(rows), notes)
