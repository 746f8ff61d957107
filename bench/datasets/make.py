"""Makes the embedded data, and checks it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from PIL import Image

from bench.datasets.base import DATASETS
from bench.datasets.images import Pixels, list_images, read_image
from bench.datasets.pairs import PairedFolder, SyntheticPairs
from bench.datasets.photos import CORNERS, CROP_SIZE, photographs
from bench.datasets.scenes import NUM_SCENES, SIZE, scenes


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
            for kind, pixels in zip(("degraded", "clean"), pairs.pair(index), strict=True):
                write_image(root / dataset / "test" / kind / f"{pairs.name(index)}.png", pixels)


def degraded_pairs(root: Path, dataset: str) -> SyntheticPairs:
    """The photographs below ``root``, degraded as test set ``dataset`` declares: pair ``index`` is always the same."""
    degradation = DATASETS[dataset].degradation
    if degradation is None:
        raise ValueError(f"data set {dataset!r} declares no degradation")
    return SyntheticPairs(root / "photos" / "test" / "clean", degradation, dataset)


def write_image(path: Path, pixels: Pixels) -> None:
    """Writes a small PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)


def checksums(root: Path) -> str:
    """The sha256 of every file below ``root``, as ``sha256sum`` prints them beside it."""
    files = {path.relative_to(root.parent).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return "".join(f"{sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(files.items()))


def verify(root: Path) -> list[str]:
    """Checks that every embedded set is complete, of the right size, readable, paired and as pinned.

    The pin is the file ``<root>.sha256`` beside the folder, where there is one.

    Returns:
        One line per problem; none if all is well.
    """
    problems = []
    pin = root.with_name(f"{root.name}.sha256")
    if pin.exists() and (differing := set(pin.read_text().splitlines()) ^ set(checksums(root).splitlines())):
        names = sorted({line.partition("  ")[2] for line in differing})
        shown = ", ".join(names[:5])
        problems.append(f"{len(names)} files are not as pinned in {pin}: {shown}; run `dvc pull --force`")
    num_photos = sum(map(len, CORNERS.values()))
    for split, count in NUM_SCENES.items():
        problems += _problems(root / "scenes" / split / "clean", count, SIZE)
    problems += _problems(root / "photos" / "test" / "clean", num_photos, CROP_SIZE)
    for dataset in _degraded_sets():
        folder = root / dataset / "test"
        found = [line for kind in ("degraded", "clean") for line in _problems(folder / kind, num_photos, CROP_SIZE)]
        problems += found or _pairing_problems(folder)
    return problems


def _degraded_sets() -> Iterator[str]:
    return (name for name, dataset in DATASETS.items() if dataset.degradation is not None)


def _problems(folder: Path, count: int, size: int) -> list[str]:
    """What is wrong with a folder that should hold ``count`` readable images of ``size`` x ``size``."""
    try:
        paths = list_images(folder)
    except (FileNotFoundError, ValueError) as error:
        return [f"{error}; run `dvc pull`, or make the data anew"]
    problems = [] if len(paths) == count else [f"{folder}: expected {count} images, found {len(paths)}"]
    for path in paths:
        try:
            height, width = read_image(path).shape[:2]
        except ValueError as error:
            problems.append(str(error))
        else:
            if (height, width) != (size, size):
                problems.append(f"{path}: expected {size}x{size} pixels, got {width}x{height}")
    return problems


def _pairing_problems(folder: Path) -> list[str]:
    try:
        PairedFolder(folder)
    except ValueError as error:
        return [str(error)]
    return []
