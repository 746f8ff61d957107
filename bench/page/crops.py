"""Side-by-side crops, ready for the page: one strip of panels each, from which errors are made where they are shown."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np

from bench.crop_choice import stale_crops
from bench.crop_record import CLEAN_ROW, CropRecord, error_maps, read_crops, read_panels, record_path, rule_in_words

PALETTE = "viridis"
STEPS = 17
"""Colours of the palette that are given; those between are interpolated."""
RULE_ORDER = ("worst", "median", "best")


class Panel(NamedTuple):
    """A part of a strip; ``says`` is read to those who do not see it."""

    label: str
    psnr: str
    says: str
    is_clean: bool


class Crop(NamedTuple):
    """A strip of panels.

    Attributes:
        title: Which test set it is of, and by which rule.
        about: The image, and by how much the compared rows differ on it.
        strip: The file of all panels as a data URI.
        side: Of a panel, in pixels.
        panels: From left to right.
        clean: The number of the clean panel.
        largest: The error at which the scale ends, in levels of 0 to 255.
        gain: The colour matrix that turns differences from the clean panel into grey levels on that scale.
    """

    title: str
    about: str
    strip: str
    side: int
    panels: tuple[Panel, ...]
    clean: int
    largest: str
    gain: str


def crops(results: Path) -> list[Crop]:
    """The crops of a results folder that its records support, the worst of a test set first.

    Raises:
        ValueError: A record or a strip is damaged; the message names it.
    """
    stale = stale_crops(results)
    records = [record for record in read_crops(results) if record_path(results, record) not in stale]
    records.sort(key=lambda c: (c.task, c.test_set, c.network, RULE_ORDER.index(c.rule)))
    return [_crop(results, record) for record in records]


def rules(results: Path) -> list[str]:
    """How images and windows were chosen, in words."""
    return list(dict.fromkeys(map(rule_in_words, read_crops(results))))


def palette() -> dict[str, str]:
    """The colours of errors by channel, from none to the largest."""
    colours = matplotlib.colormaps[PALETTE](np.linspace(0, 1, STEPS))
    return {name: " ".join(f"{value:.3f}" for value in colours[:, i]) for i, name in enumerate("RGB")}


def _crop(results: Path, record: CropRecord) -> Crop:
    strip = record_path(results, record).with_suffix(".webp").read_bytes()
    largest = error_maps(read_panels(results, record)).largest
    about = (
        f"{record.network}, image {record.image}: `{record.first}` {record.difference_db:+.2f} dB over "
        f"`{record.second}`. Shown is seed {record.seed}; PSNR is that of the whole image."
    )
    return Crop(
        f"{record.task}: {record.test_set}, {record.rule} difference",
        about,
        f"data:image/webp;base64,{base64.b64encode(strip).decode()}",
        record.side,
        tuple(_panels(record)),
        [row.label for row in record.rows].index(CLEAN_ROW),
        f"{largest:.0f}",
        _mean_of_channels(255 / largest),
    )


def _panels(record: CropRecord) -> Iterator[Panel]:
    for row in record.rows:
        psnr = "" if row.psnr_db is None else f"{row.psnr_db:.2f} dB"
        says = f"{row.label}: crop of {record.image} of {record.test_set}{f', {psnr}' if psnr else ''}"
        yield Panel(row.label, psnr, says, row.label == CLEAN_ROW)


def _mean_of_channels(gain: float) -> str:
    """A colour matrix that gives every channel the mean of all, multiplied by a gain."""
    share = f"{gain / 3:.4f}"
    return " ".join([f"{share} {share} {share} 0 0"] * 3 + ["0 0 0 1 0"])
