"""Makes the embedded data, and checks it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from PIL import Image

from bench.datasets.base import DATASETS
from bench.datasets.degrade import to_pixels
from bench.datasets.images import Pixels, list_images
from bench.datasets.pairs import SyntheticPairs, open_clean
from bench.datasets.photos import photographs
from bench.datasets.scenes import NUM_SCENES, scenes


def make_all(root: Path) -> None:
    """Writes every embedded set below ``root``; existing images of the same names are replaced.

    The pixels depend on nothing but this code: the same versions of numpy, scipy, Pillow and scikit-image give the
    same bytes. Other versions may differ in the last bit of a pixel, or compress the same pixels to other bytes.

    Raises:
        ModuleNotFoundError: scikit-image, which holds the photographs, is not installed.
    """
    for name, pixels in photographs():
        write_image(root / "photos" / "test" / "clean" / f"{name}.png", pixels)
    for split in NUM_SCENES:
        for name, pixels in scenes(split):
            write_image(root / "scenes" / split / "clean" / f"{name}.png", pixels)
    for dataset in _degraded_sets():
        pairs = degraded_pairs(root, dataset)
        for index in range(len(pairs)):
            degraded, clean = pairs.pair(index)
            for kind, pixels in (("degraded", to_pixels(degraded)), ("clean", clean)):
                write_image(root / dataset / "test" / kind / f"{pairs.name(index)}.png", pixels)


def degraded_pairs(root: Path, dataset: str) -> SyntheticPairs:
    """The photographs below ``root``, degraded as test set ``dataset`` declares: pair ``index`` is always the same."""
    degradation = DATASETS[dataset].degradation
    if degradation is None:
        raise ValueError(f"data set {dataset!r} declares no degradation")
    return open_clean(list_images(root / "photos" / "test" / "clean"), degradation, dataset)


def write_image(path: Path, pixels: Pixels) -> None:
    """Writes a small PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)


def checksums(root: Path) -> str:
    """The sha256 of every file below ``root``, as ``sha256sum`` prints them beside it."""
    files = {path.relative_to(root.parent).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return "".join(f"{sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(files.items()))


def unpinned(root: Path) -> list[str]:
    """Names the files that are not as pinned in ``<root>.sha256`` beside the folder; none where there is no pin."""
    pin = root.with_name(f"{root.name}.sha256")
    if not pin.exists():
        return []
    differing = set(pin.read_text().splitlines()) ^ set(checksums(root).splitlines())
    return sorted({line.partition("  ")[2] for line in differing})


def _degraded_sets() -> Iterator[str]:
    return (name for name, dataset in DATASETS.items() if dataset.is_embedded and dataset.degradation is not None)
