"""Numbers that others print, to stand beside measured ones and never among them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from bench.config import describe_errors
from bench.paper import Paper
from bench.plain_yaml import read_yaml
from bench.record import StrictRecord
from bench.table import METRIC_TITLES, Table

READINGS = {"paper": "the paper", "repository": "the authors' repository"}
Scores = Mapping[str, str]
"""Digits as they are printed, by the key of the metric."""


class PublishedRow(StrictRecord):
    """What is printed for one network, digit by digit.

    Attributes:
        network: As it is called there.
        kind: A ``network`` of full size, a ``student`` that was trained alone, or a student trained by a ``method``.
        method: The registered method, or what the publication calls one that is not registered here.
        params_m: Parameters in millions; None where they are not printed.
        macs_g: Multiply-accumulates in 10^9 for an image of 256x256; None likewise.
        quotes: Whose number the publication repeats; empty for its own.
        scores: By test set.
    """

    network: str
    kind: Literal["network", "student", "method"] = "network"
    method: str = ""
    params_m: float | None = None
    macs_g: float | None = None
    quotes: str = ""
    scores: Mapping[str, Scores]

    @property
    def label(self) -> str:
        """What a table calls it."""
        if self.kind == "network":
            return self.network
        return f"{self.network}, student {f'by {self.method}' if self.method else 'alone'}"

    @model_validator(mode="after")
    def _names_its_method(self) -> "PublishedRow":
        if bool(self.method) != (self.kind == "method"):
            raise ValueError(f"{self.network}: a row of the kind 'method' names its method, and no other row has one")
        return self


class PublishedTable(StrictRecord):
    """What a publication prints.

    Attributes:
        where: The table in it.
        reading: Where the digits were read.
        columns: The test sets beside whose scores it stands, by task.
        protocol: How its numbers were made, as far as that is told and differs from ours.
        signatures: The fields of a signature that are known of its metrics: ``psnr:y|uint8:trunc``.
    """

    paper: Paper
    where: str = Field(min_length=1)
    reading: Literal["paper", "repository"]
    columns: Mapping[str, tuple[str, ...]]
    protocol: str = Field(min_length=1)
    signatures: Mapping[str, str] = Field(default={})
    rows: tuple[PublishedRow, ...] = Field(min_length=1)

    @property
    def test_sets(self) -> tuple[str, ...]:
        """Its test sets, in order."""
        return tuple(dict.fromkeys(name for names in self.columns.values() for name in names))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of any of its scores, in order."""
        scores = (scores for row in self.rows for scores in row.scores.values())
        return tuple(dict.fromkeys(metric for metrics in scores for metric in metrics))

    @property
    def source(self) -> str:
        """Where the digits stand, in words."""
        return f"{self.paper}; {self.where}, read from {READINGS[self.reading]}"

    @model_validator(mode="after")
    def _has_columns_and_scores_of_the_same_sets(self) -> "PublishedTable":
        scored = {name for row in self.rows for name in row.scores}
        if scored != set(self.test_sets):
            raise ValueError(f"columns are of {', '.join(self.test_sets)}, scores of {', '.join(sorted(scored))}")
        return self


class Reported(NamedTuple):
    """A published row that stands beside a measured column."""

    table: PublishedTable
    row: PublishedRow
    scores: Scores


def read_published(path: Path) -> PublishedTable:
    """Reads a file of published numbers.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not one; the message names the key.
    """
    try:
        return PublishedTable.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ValueError(describe_errors(error, str(path), PublishedTable)) from error


def read_all(results: Path) -> dict[str, PublishedTable]:
    """All files of published numbers of a results folder, by their names without suffix.

    Raises:
        ValueError: A file is not one; the message names it and the key.
    """
    return {path.stem: read_published(path) for path in sorted((results / "published").glob("*.yaml"))}


def beside(tables: Iterable[PublishedTable], task: str, test_set: str) -> list[Reported]:
    """The rows that stand beside the measured scores of a task on a test set."""
    return [
        Reported(table, row, row.scores[test_set])
        for table in tables
        if test_set in table.columns.get(task, ())
        for row in table.rows
        if test_set in row.scores
    ]


def protocol_differences(table: PublishedTable, signatures: Mapping[str, str]) -> list[str]:
    """How published numbers were computed otherwise than measured ones, as far as both are known.

    Args:
        table: The published numbers.
        signatures: Those of the measured ones, by the key of the metric.

    Returns:
        A text for every metric that differs, and for every one that was not measured at all.
    """
    texts = []
    for metric in table.metrics:
        title = METRIC_TITLES.get(metric, metric)
        if metric not in signatures:
            texts.append(f"{title}: not measured here")
            continue
        theirs, ours = (_fields(names.get(metric, "")) for names in (table.signatures, signatures))
        different = [f"{theirs[key]}, here {ours[key]}" for key in theirs if key in ours and theirs[key] != ours[key]]
        if different:
            texts.append(f"{title}: {'; '.join(different)}")
    return texts


def published_table(published: PublishedTable) -> Table:
    """The table of a file of published numbers."""
    rows = tuple(
        (
            row.label,
            _number(row.params_m),
            _number(row.macs_g),
            *(_cell(published, row, name) for name in published.test_sets),
        )
        for row in published.rows
    )
    metrics = " / ".join(METRIC_TITLES.get(metric, metric) for metric in published.metrics)
    header = ("network", "params (M)", "MACs (G)", *(f"{name}, {metrics}" for name in published.test_sets))
    return Table(f"Published: {published.paper.title}", header, rows, tuple(_notes(published)))


def _fields(signature: str) -> dict[str, str]:
    """The fields of a signature, or of a part of one, by their names."""
    return {field.partition(":")[0]: field for field in signature.split("|") if field}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _cell(published: PublishedTable, row: PublishedRow, test_set: str) -> str:
    scores = row.scores.get(test_set, {})
    return " / ".join(scores.get(metric, "-") for metric in published.metrics) if scores else "-"


def _notes(published: PublishedTable) -> Iterator[str]:
    yield f"Source: {published.source}."
    yield f"{published.protocol[0].upper()}{published.protocol[1:]}."
    for row in published.rows:
        if row.quotes:
            yield f"{row.label}: quoted there from {row.quotes}."
