"""Checks of images on disk, before hours of training rest on them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from bench.datasets.alignment import best_shift
from bench.datasets.averaging import averaging_exponent
from bench.datasets.base import DATASETS, Shelf
from bench.datasets.images import Pixels
from bench.datasets.items import Item
from bench.datasets.leaks import READ_AT_ONCE, find_leaks
from bench.datasets.pictures import MatBlock, Picture
from bench.stamps import remembered

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "MPO": (".jpg", ".jpeg"),
}


class Finding(NamedTuple):
    """Something that a check has to say.

    Attributes:
        severity: ``error`` where the images cannot be used; ``warning`` where a user should look; ``note`` else.
        text: Names the file or set, what was expected, what was found and what to do.
    """

    severity: Literal["error", "warning", "note"]
    text: str


def check_set(name: str, shelf: Shelf) -> list[Finding]:
    """Checks a declared data set: layout, counts, every image, every pair, and that no test image is trained on.

    A split of a real set that is not there is only noted if another one is.

    Raises:
        UnknownNameError: No such data set.
    """
    found: dict[str, list[Item]] = {}
    findings: list[Finding] = []
    missing: list[Finding] = []
    for split in DATASETS[name].splits:
        try:
            found[split] = shelf.find(name, split)
        except FileNotFoundError as error:
            missing.append(Finding("error", str(error)))
        except ValueError as error:
            findings.append(Finding("error", f"{name}, {split}: {error}"))
    for split, items in found.items():
        findings += [*_count(name, split, items), *check_items(items)]
    if name.startswith("gopro"):
        findings += [f for split, items in found.items() for f in _averaging(f"{name}, {split}", items)]
    if "train" in found and "test" in found:
        findings += [Finding("error", f"{name}: {leak}") for leak in find_leaks(found["train"], found["test"])]
    if found and not DATASETS[name].is_embedded:
        missing = [Finding("note", finding.text) for finding in missing]
    return findings + missing


def check_items(items: Sequence[Item]) -> list[Finding]:
    """Checks that every image can be decoded and is what it says, and that the images of a pair belong together.

    What was found about large sets is remembered until their files change, or which two belong together.
    """
    paths = {picture.path for item in items for picture in item.pictures}
    kind = f"checks v1 of {_pairing(items)}"
    known = remembered(kind, paths, lambda: json.dumps(_examined(items)), lambda found: '["error", ' not in found)
    return [Finding(*finding) for finding in json.loads(known)]


def _pairing(items: Sequence[Item]) -> str:
    """Identifies which pictures belong together."""
    total = sha256()
    for item in items:
        total.update(repr(item).encode(errors="surrogateescape"))
    return total.hexdigest()


def _examined(items: Sequence[Item]) -> list[Finding]:
    """Looks at all items, in threads: decoding leaves the interpreter to others."""
    results: list[tuple[list[Finding], tuple[int, int] | None]] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), READ_AT_ONCE):
            results += pool.map(_check_item, items[start : start + READ_AT_ONCE])
    findings = list(dict.fromkeys(finding for found, _ in results for finding in found))
    return [*findings, *_misaligned(items, [shift for _, shift in results])]


def _check_item(item: Item) -> tuple[list[Finding], tuple[int, int] | None]:
    """What is wrong with one item; and how far its two images seem to be shifted."""
    findings: list[Finding] = []
    images: list[Pixels] = []
    for picture in item.pictures:
        findings += _mislabelled(picture)
        try:
            images.append(picture.read())
        except (ValueError, FileNotFoundError) as error:
            findings.append(Finding("error", str(error)))
    if len(images) < 2:
        return findings, None
    sizes = [image.shape[:2] for image in images]
    if sizes[0] != sizes[1]:
        shown = " and ".join(f"{width}x{height}" for height, width in sizes)
        first, second = (picture.path for picture in item.pictures)
        text = f"{first} and {second} differ in size: {shown} pixels; a pair must be aligned"
        return [*findings, Finding("error", text)], None
    return findings, best_shift(*images)


def _mislabelled(picture: Picture) -> Iterator[Finding]:
    """Tells a JPEG that is called PNG: its pixels are not what the name promises."""
    if isinstance(picture, MatBlock):
        return
    try:
        with Image.open(picture.path) as image:
            found = image.format or "file of an unknown format"
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return  # said better when it is decoded
    if picture.path.suffix.lower() not in SUFFIXES.get(found, ()):
        yield Finding("warning", f"{picture.path}: the file is a {found}, whatever its name says; rename it")


def _count(name: str, split: str, items: Sequence[Item]) -> Iterator[Finding]:
    declared = DATASETS[name].splits[split].num_items
    if len(items) != declared:
        yield Finding(
            "warning",
            f"{name}, {split}: published with {declared} images, found {len(items)}; scores on another selection are "
            "not comparable",
        )


def _misaligned(items: Sequence[Item], shifts: Iterable[tuple[int, int] | None]) -> Iterator[Finding]:
    moved = [(item, shift) for item, shift in zip(items, shifts, strict=True) if shift not in (None, (0, 0))]
    if not moved:
        return
    (usual, _), *_ = Counter(shift for _, shift in moved).most_common(1)
    named = ", ".join(f"{item.name} by {shift}" for item, shift in moved[:5]) + (", ..." if len(moved) > 5 else "")
    yield Finding(
        "warning",
        f"{moved[0][0].pictures[0].path.parent}: {len(moved)} of {len(items)} pairs look shifted, mostly by {usual} "
        f"(rows, columns): {named}; a pair that is a pixel off costs several dB",
    )


def _averaging(where: str, items: Sequence[Item]) -> Iterator[Finding]:
    """Tells whether blurred frames were averaged on linear values or on gamma-corrected ones."""
    exponents = [exponent for item in items[:: max(1, len(items) // 50)] if (exponent := averaging_exponent(item))]
    if exponents:
        median = float(np.median(exponents))
        meaning = "the frames themselves were averaged" if median < 1.5 else "frames were averaged as linear light"
        yield Finding(
            "note",
            f"{where}: blurred and sharp frames have one mean of their values to the power of {median:.2f}: {meaning} "
            "(GoPro has both: `blur` near 1, `blur_gamma` near 2.2; their scores are not comparable)",
        )
