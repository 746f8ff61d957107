"""Tables of numbers beside records, as CSV: values per image, loss terms over a training."""

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.atomic import write_atomically


def write_per_image(
    path: Path, names: Sequence[str], metrics: Mapping[str, Sequence[float]], signatures: Mapping[str, str]
) -> None:
    """Writes the value of every metric for every image as CSV, atomically.

    Lines that begin with ``#`` come first and give every metric's signature.
    """
    text = io.StringIO()
    text.writelines(f"# {key}: {signatures[key]}\n" for key in metrics)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *metrics])
    writer.writerows(zip(names, *([repr(v) for v in values] for values in metrics.values()), strict=True))
    write_atomically(path, text.getvalue().encode())


def read_per_image(path: Path) -> dict[str, dict[str, float]]:
    """Reads the value of every metric for every image: by metric, then by the image's name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such table; the message names it.
    """
    with path.open(newline="", encoding="utf-8") as file:
        try:
            (_, *metrics), *rows = csv.reader(itertools.dropwhile(lambda line: line.startswith("#"), file))
            names, *columns = zip(*rows, strict=True)
            if len(set(names)) < len(names) or len(set(metrics)) < len(metrics):
                raise ValueError("an image or a metric is there twice")
            values = (dict(zip(names, map(float, column), strict=True)) for column in columns)
            return dict(zip(metrics, values, strict=True))
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}: expected a table of values per image as scoring writes it: {error}") from error


def write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Writes how the loss terms went during training as CSV, five digits each, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{value:.5g}" if key != "step" else value for key, value in row.items()} for row in history)
    write_atomically(path, text.getvalue().encode())


def read_history(path: Path) -> list[dict[str, float]]:
    """Reads how the loss terms went during training.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no table of numbers.
    """
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or ["step"]
            if "step" not in columns or len(set(columns)) < len(columns):
                raise ValueError(f"its columns are {', '.join(columns)}")
            return [{key: float(value) for key, value in row.items()} for row in rows]
        except (TypeError, ValueError, csv.Error) as error:
            raise ValueError(f"{path}: expected a table of numbers as training writes it: {error}") from error
