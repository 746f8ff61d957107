"""Which images show what methods do, and where they are cut; chosen by the records, without a network."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from bench.crop_record import STRIDE, CropRecord, CropRow, Rule, read_crops, record_path
from bench.datasets.images import Pixels
from bench.family import Family, read_families
from bench.record import TEACHER_ROWS
from bench.scoreboard import Column
from bench.values import read_per_image

METRIC = "psnr_db"
Row = tuple[str, int]
"""A row of the tables, and one of its seeds."""


class Choice(NamedTuple):
    """An image that is to be shown, and by whom it was restored.

    Attributes:
        column: Its task and test set.
        rule: Which of the test set's images it is.
        image: Its name; this and what follows as in `CropRecord`.
        rows: The rows of the networks by their records, in the order of the strip.
    """

    column: Column
    rule: Rule
    image: str
    first: str
    second: str
    difference_db: float
    seed: int
    rows: Mapping[Path, CropRow]


def choose_window(degraded: Pixels, clean: Pixels, side: int) -> tuple[int, int]:
    """The left and top of the window that is cut out of an image and all that was made of it.

    `bench.crop_record.rule_in_words` has the rule.

    Args:
        degraded: ``(H, W, 3)``.
        clean: Likewise.
        side: Of the window, in pixels.

    Raises:
        ValueError: The window is larger than the image.
    """
    height, width = clean.shape[:2]
    if side > min(height, width):
        raise ValueError(f"an image of {width}x{height} pixels has no window of side {side}; choose a smaller --side")
    error = abs(degraded.astype(np.int64) - clean).sum(axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(error, (side, side))[::STRIDE, ::STRIDE]
    totals: NDArray[np.int64] = windows.sum(axis=(2, 3))  # of whole numbers: ties are ties
    row, column = np.unravel_index(totals.argmax(), totals.shape)
    return STRIDE * int(column), STRIDE * int(row)


def choose_images(differences: Mapping[str, float]) -> dict[Rule, str]:
    """The images that are shown, of at least one; `bench.crop_record.rule_in_words` has the rule.

    Args:
        differences: By image, the difference in PSNR.
    """
    order = sorted(differences, key=lambda image: (differences[image], image))
    return dict(zip(get_args(Rule), (order[0], order[(len(order) - 1) // 2], order[-1]), strict=True))


def choose(family: Family, column: Column, first: str, second: str) -> list[Choice]:
    """The images of a test set that are to be shown; none where no seed has PSNR of both rows.

    Args:
        family: The records.
        column: The test set.
        first: The row whose lead over the other chooses.
        second: The other.

    Raises:
        ValueError: Two rows were scored on different images.
    """
    files = {
        (record.label, record.seed): path
        for path, record in family.records.items()
        if (record.task, record.test_set) == column and METRIC in record.metrics
    }
    seeds = sorted(seed for label, seed in files if label == first and (second, seed) in files)
    if not seeds:
        return []
    values = {row: _values(path) for row, path in files.items()}
    images = values[first, seeds[0]].keys()
    if any(scores.keys() != images for scores in values.values()):
        raise ValueError(f"{column.task}: {column.test_set}: rows were scored on different images; run its cells again")
    differences = {
        image: fmean(values[first, seed][image] - values[second, seed][image] for seed in seeds) for image in images
    }
    shown = {files[row]: values[row] for row in _shown(family, files, seeds[0], (first, second))}
    return [
        Choice(column, rule, image, first, second, differences[image], seeds[0], _rows(family, shown, image))
        for rule, image in choose_images(differences).items()
    ]


def _values(path: Path) -> dict[str, float]:
    """PSNR by image, from the table beside a record."""
    table = path.with_suffix(".csv")
    if not table.exists():
        raise FileNotFoundError(f"{table}: no values per image beside the record; delete that, and run the cell again")
    return read_per_image(table).get(METRIC, {})


def _shown(family: Family, found: Collection[Row], seed: int, wanted: Sequence[str]) -> list[Row]:
    """The networks of a strip in its order: the removal teacher, and students other than controls with an oracle.

    Args:
        family: The records.
        found: The rows that there are, and their seeds.
        seed: Of the students.
        wanted: The controls that are shown nevertheless.
    """
    controls = {record.label for record in family.records.values() if record.teacher == "oracle"} - {*wanted}
    teachers = sorted(row for row in found if row[0] == TEACHER_ROWS["removal"])[:1]
    students = [(label, seed) for label in family.board.methods if label not in controls]
    return [*teachers, *(row for row in students if row in found)]


def _rows(family: Family, shown: Mapping[Path, Mapping[str, float]], image: str) -> dict[Path, CropRow]:
    """The panels of an image that networks restored, by their records."""
    records = {path: family.records[path] for path in shown}
    return {
        path: CropRow(label=record.label, psnr_db=shown[path][image], weights_sha256=record.weights_sha256)
        for path, record in records.items()
    }


def stale_crops(results: Path) -> dict[Path, str]:
    """The crops of a results folder that its records do not support any more: the files of their records, and why.

    Raises:
        ValueError: A file is not a valid record; the message names it and what is wrong.
    """
    if not (crops := list(read_crops(results))):  # then there is no need to read all records
        return {}
    families = {family.network: family for family in read_families(results)}
    found = {record_path(results, crop): [*_changes(crop, families.get(crop.network))] for crop in crops}
    return {path: "; ".join(reasons) for path, reasons in found.items() if reasons}


def _changes(crop: CropRecord, family: Family | None) -> Iterator[str]:
    """What a crop says otherwise than the records do now."""
    choices = choose(family, Column(crop.task, crop.test_set), crop.first, crop.second) if family else []
    now = next((choice for choice in choices if choice.rule == crop.rule), None)
    if now is None:
        yield f"there are no scores of both {crop.first} and {crop.second} any more"
        return
    for field in ("image", "difference_db", "seed"):
        if getattr(crop, field) != getattr(now, field):
            yield f"{field} is {getattr(crop, field)}, by the records it is {getattr(now, field)}"
    before = {row.label: row for row in crop.rows[2:]}
    after = {row.label: row for row in now.rows.values()}
    for label in dict.fromkeys((*after, *before)):
        if label not in before or label not in after:
            yield f"{label} is {'missing' if label in after else 'shown, and has no record any more'}"
        elif before[label].weights_sha256 != after[label].weights_sha256:
            yield f"{label} is shown with other weights than those on record"
        elif now.image == crop.image and before[label] != after[label]:
            yield f"{label} is shown with another PSNR than that on record"
