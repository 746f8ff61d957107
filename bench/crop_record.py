"""Side-by-side crops as files: a record, and a strip of panels from left to right.

What networks restore takes their weights, which are not under version control; so crops are cut once, by
``python -m bench crops``, and kept beside the records.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image
from pydantic import Field

from bench.atomic import write_atomically
from bench.datasets.images import Pixels, read_image
from bench.record import StrictRecord, read_record, write_record
from bench.scoreboard import INPUT_ROW

CLEAN_ROW = "clean"
STRIDE = 16
"""Distance of the windows among which that of a crop is chosen, in pixels."""
LARGEST_SHARE = 99.5
"""The percentile of the errors of all restored panels at which the scale of a crop's error maps ends."""
Rule = Literal["worst", "median", "best"]


class CropRow(StrictRecord):
    """A panel of a strip.

    Attributes:
        label: The row of the tables that it belongs to, or ``clean``.
        psnr_db: Of the whole image, under the test set's protocol; None for the clean one.
        weights_sha256: Digest of the weights that restored it, as their record has it; empty where there are none.
    """

    label: str
    psnr_db: float | None
    weights_sha256: str = ""


class CropRecord(StrictRecord):
    """What a strip of panels shows; `rule_in_words` says how it was chosen.

    Attributes:
        network: The registered family.
        image: Its name in the test set.
        rule: Which of the test set's images it is.
        first: The row whose lead over ``second`` chose the image.
        difference_db: That lead on this image in PSNR, mean over the seeds that both have.
        seed: Of the students that are shown, the lowest that both have.
        left: First column of the window, in pixels of the image.
        top: First row of the window.
        side: Height and width of the window, and of every panel.
        rows: The panels from left to right: degraded, clean, removal teacher, students.
        strip_sha256: Digest of the strip's pixels, whatever compressed them.
    """

    kind: Literal["crop"] = "crop"
    version: Literal[1] = 1
    task: str
    network: str = Field(pattern="^[a-z0-9_]+$")
    test_set: str
    image: str
    rule: Rule
    first: str
    second: str
    difference_db: float
    seed: int
    left: int = Field(ge=0)
    top: int = Field(ge=0)
    side: int = Field(gt=0)
    rows: tuple[CropRow, ...]
    strip_sha256: str


class ErrorMaps(NamedTuple):
    """Absolute differences from the clean panel, mean over the channels, on one scale for all panels of a crop.

    Attributes:
        largest: Where the scale ends, in levels of 0 to 255; larger errors look the same. The degraded panel does not
            decide it, whose errors would leave those of the networks in the dark.
        maps: By label, ``(side, side)`` uint8: 0 is no error, 255 is ``largest``; the clean panel has none.
    """

    largest: float
    maps: dict[str, Pixels]


def rule_in_words(crop: CropRecord) -> str:
    """How the image and the window of a crop were chosen, for its readers."""
    return (
        f"The images of a test set are ordered by how much higher the PSNR of `{crop.first}` is than that of "
        f"`{crop.second}`, in the mean over the seeds that both have, equal ones by name: the first is the worst, the "
        "last the best, between them the median, the lower of two. The window is that of "
        f"{crop.side}x{crop.side} pixels in which the degraded image is furthest from the clean one by mean absolute "
        f"difference, on a grid of {STRIDE} pixels: the degradation chose it, and no result. It is the same for all."
    )


def record_path(results: Path, crop: CropRecord) -> Path:
    """Where a crop's record is kept in a results folder; its strip, of the same name, ends in ``.webp``."""
    return results / "crops" / crop.task / crop.network / f"{crop.test_set}_{crop.rule}.json"


def write_crop(results: Path, crop: CropRecord, panels: Sequence[Pixels]) -> tuple[Path, Path]:
    """Writes a crop, each of its files atomically, and returns them: the record and the strip.

    Args:
        results: The results folder.
        crop: The record.
        panels: Those of its rows.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.hstack(panels)).save(buffer, "WEBP", lossless=True, quality=100, method=4, exact=True)
    path = record_path(results, crop)
    write_atomically(path.with_suffix(".webp"), buffer.getvalue())
    write_record(path, crop)
    return path, path.with_suffix(".webp")


def strip_digest(panels: Sequence[Pixels]) -> str:
    """The digest of a strip's pixels."""
    return hashlib.sha256(np.hstack(panels).tobytes()).hexdigest()


def read_crops(results: Path) -> list[CropRecord]:
    """All crops of a results folder, in the order of their paths.

    Raises:
        ValueError: A file is not a valid record, or that of another crop; the message names it and what is wrong.
    """
    crops = {path: read_record(path, CropRecord) for path in sorted((results / "crops").rglob("*.json"))}
    for path, crop in crops.items():
        if path != record_path(results, crop):
            raise ValueError(f"{path}: holds the record of {record_path(results, crop)}; delete it")
        labels = [row.label for row in crop.rows]
        if labels[:2] != [INPUT_ROW, CLEAN_ROW] or not 2 < len(labels) == len(set(labels)):
            expected = f"expected {INPUT_ROW}, {CLEAN_ROW} and different networks"
            raise ValueError(f"{path}: rows: {expected}, got {', '.join(labels)}; delete it")
    return list(crops.values())


def read_panels(results: Path, crop: CropRecord) -> dict[str, Pixels]:
    """The panels of a crop by label, ``(side, side, 3)`` uint8 each.

    Raises:
        FileNotFoundError: There is no strip beside its record.
        ValueError: It is damaged, or not the one that the record tells of.
    """
    path = record_path(results, crop).with_suffix(".webp")
    strip = read_image(path)
    panels = [strip[:, left : left + crop.side] for left in range(0, strip.shape[1], crop.side)]
    if strip.shape != (crop.side, crop.side * len(crop.rows), 3) or strip_digest(panels) != crop.strip_sha256:
        raise ValueError(f"{path}: not the strip of the record beside it; cut it again: python -m bench crops")
    return {row.label: panel for row, panel in zip(crop.rows, panels, strict=True)}


def error_maps(panels: Mapping[str, Pixels]) -> ErrorMaps:
    """How far the panels of a crop are from the clean one, pixel by pixel."""
    clean = panels[CLEAN_ROW].astype(np.float64)
    errors = {label: abs(panel - clean).mean(axis=-1) for label, panel in panels.items() if label != CLEAN_ROW}
    restored = [error for label, error in errors.items() if label != INPUT_ROW]
    largest = max(1.0, float(np.percentile(restored, LARGEST_SHARE)))  # a difference below one level is not seen
    shares = {label: (error / largest).clip(0, 1) for label, error in errors.items()}
    return ErrorMaps(largest, {label: (255 * share).round().astype(np.uint8) for label, share in shares.items()})
