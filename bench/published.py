"""Numbers that others print, to stand beside measured ones and never among them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.config import describe_errors
from bench.plain_yaml import read_yaml
from bench.table import METRIC_TITLES, Table


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PublishedRow(_Strict):
    """What is printed for one network, digit by digit; ``params_m`` is None where its size is not printed."""

    network: str
    params_m: float | None
    metrics: dict[str, str]


class PublishedTable(_Strict):
    """What a publication prints for a test set.

    Attributes:
        test_set: The set, for the table's title.
        source: The publication, and where in it.
        protocol: How its numbers were computed, as far as that differs from ours.
    """

    test_set: str
    source: str
    protocol: str = Field(min_length=1)
    rows: tuple[PublishedRow, ...]


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


def published_table(published: PublishedTable) -> Table:
    """The table of a file of published numbers."""
    metrics = list(dict.fromkeys(metric for row in published.rows for metric in row.metrics))
    rows = tuple(
        (
            row.network,
            "" if row.params_m is None else f"{row.params_m:.3f}",
            *(row.metrics.get(metric, "-") for metric in metrics),
        )
        for row in published.rows
    )
    header = ("network", "params (M)", *(METRIC_TITLES.get(metric, metric) for metric in metrics))
    notes = (f"Source: {published.source}.", f"{published.protocol[0].upper()}{published.protocol[1:]}.")
    return Table(f"Published: {published.test_set}", header, rows, notes)
