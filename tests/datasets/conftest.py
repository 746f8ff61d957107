"""Miniature data sets on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from bench.datasets.images import Pixels
from bench.seeding import generator

Writer = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is remembered about large sets stays in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return tmp_path / ".cache" / "slkd-bench"


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes a random image, the same for the same seed, and returns its path."""

    def write_image(name: str, height: int = 40, width: int = 48, mode: str = "RGB", seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        return path

    return write_image


@pytest.fixture(scope="session")
def photograph() -> Callable[..., Pixels]:
    """Makes a picture with the structure of a photograph, large and small: another for every seed."""

    def make(seed: int, height: int = 96, width: int = 128) -> Pixels:
        rng = generator("photograph", seed)
        noise = rng.standard_normal((height, width, 3))
        image = sum(
            scale * ndimage.gaussian_filter(noise, (scale, scale, 0), mode="wrap") for scale in (1, 2, 4, 8, 16)
        )
        image = image + 2 * ndimage.gaussian_filter(rng.standard_normal((height, width, 1)), (1, 1, 0), mode="wrap")
        low, high = image.min(), image.max()
        return ((image - low) / (high - low) * 255).astype(np.uint8)

    return make
