"""``python -m bench explain RECORD``: a record's numbers in words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.metrics.signature import explain as in_words
from bench.record import ScoresRecord, read_cell, read_scores
from bench.run import console
from bench.table import METRIC_TITLES, in_order, number


def explain(
    record: Annotated[Path, typer.Argument(help="A record of a cell, or the JSON file of `evaluate`.")],
) -> None:
    """Says what the numbers of a record are: of what, and by which definition, field by field."""
    console.print("\n".join(_lines(record)), markup=False, highlight=False, soft_wrap=True)


def _lines(path: Path) -> Iterator[str]:
    about = _read(path)
    yield about["title"]
    for key in in_order(about["signatures"]):
        signature = about["signatures"][key]
        value = about["metrics"].get(key)
        shown = "without a mean" if value is None else number(value, key)
        yield f"\n{METRIC_TITLES.get(key, key)} {shown}: {signature}"
        try:
            yield from (f"  {line}" for line in in_words(signature))
        except ValueError as error:  # of a metric from another package
            yield f"  {error}"
    for key, reason in about.get("unavailable", {}).items():
        yield f"\n{METRIC_TITLES.get(key, key)} was not computed: {reason}"


def _read(path: Path) -> dict[str, Any]:
    """What a file holds of scores, with a title.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no record of scores.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such record; they are in results/**/cells/**/*.json")
    try:
        values = json.loads(path.read_bytes())
        kind = values["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a record ({error}); give one of a cell, or of `evaluate`") from error
    if kind == "scores":
        return _scores(read_scores(path))
    if kind != "cell":
        raise ValueError(f"{path}: a record of kind {kind!r} holds no scores; give one of a cell, or of `evaluate`")
    cell = read_cell(path)
    if cell.status != "ok":
        return {"title": f"skipped: {cell.reason}", "signatures": {}, "metrics": {}}
    who = cell.method if cell.role == "student" else f"{cell.role} teacher"
    return cell.model_dump() | {
        "title": f"{who} ({cell.network}/{cell.size}, seed {cell.seed}, {cell.steps} steps) on {cell.test_set}, task "
        f"{cell.task}, protocol {cell.protocol}, {cell.num_images} images"
    }


def _scores(record: ScoresRecord) -> dict[str, Any]:
    scored = record.restored or f"{record.network}/{record.size} ({record.weights}) on {record.test_set}"
    degraded = f" degraded by {record.task}" if record.task else ""
    title = f"{scored}{degraded}, protocol {record.protocol}, {record.num_images} images"
    return record.model_dump() | {"title": title}
