"""Procedural training scenes: dead leaves in and out of focus, skies, branches and lettering."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw
from scipy import ndimage

from bench.datasets.base import DATASETS, DataSet, Split
from bench.datasets.dead_leaves import Leaves, palette, textures
from bench.datasets.degrade import Image, smooth_field, to_pixels
from bench.datasets.images import Pixels
from bench.datasets.layout import Clean
from bench.seeding import generator

SIZE = 256
NUM_SCENES = {"train": 48, "val": 8}

DATASETS.register("scenes")(
    DataSet(
        title="Procedural scenes",
        authors="made by this project's code",
        licence="Apache-2.0, as the code",
        url="https://doi.org/10.1023/A:1011109015675",
        reference=(
            "A. B. Lee, D. Mumford and J. Huang, Occlusion Models for Natural Images: A Statistical Study of a "
            "Scale-Invariant Dead Leaves Model, IJCV 2001"
        ),
        splits={split: Split(Clean((f"{split}/clean/{{name}}.png",)), num_items=n) for split, n in NUM_SCENES.items()},
        is_embedded=True,
    )
)


def scenes(split: str) -> Iterator[tuple[str, Pixels]]:
    """Yields the name and the pixels of every scene of a split, ``(256, 256, 3)`` uint8."""
    for index in range(NUM_SCENES[split]):
        yield f"{index:03d}", scene(generator("scenes", split, index), SIZE)


def scene(rng: np.random.Generator, size: int) -> Pixels:
    """Draws a scene ``(size, size, 3)``; it is painted at twice its size, so that edges come out smooth."""
    canvas_size = 2 * size
    colours, texture_bank = palette(24, rng), textures(6, canvas_size, rng)
    is_outdoors = rng.random() < 0.35
    canvas = _sky(canvas_size, colours, texture_bank[0], rng) if is_outdoors else _flat(canvas_size, colours[0])
    if not is_outdoors or rng.random() < 0.5:
        behind = Leaves(colours, texture_bank, (8.0, canvas_size / 2), has_shadows=False)
        behind.paint(canvas, 2.5, np.full(canvas.shape[:2], 0.3 if is_outdoors else 1.0, np.float32), rng)
        blur = rng.uniform(2, 12)
        canvas = ndimage.gaussian_filter(canvas, (blur, blur, 0), truncate=3)
    radii = float(np.exp(rng.uniform(np.log(2.5), np.log(20)))), rng.uniform(60, canvas_size / 2)
    front = Leaves(colours, texture_bank, radii, has_shadows=rng.random() < 0.6)
    front.paint(canvas, rng.uniform(2, 5), _clusters(canvas_size, rng), rng)
    canvas = _with_lines(canvas, colours, rng)
    small = canvas.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    return to_pixels(_exposed(small, rng))


def _flat(size: int, colour: Image) -> Image:
    return np.broadcast_to(colour, (size, size, 3)).copy()


def _sky(size: int, colours: Image, cloud: Image, rng: np.random.Generator) -> Image:
    """A vertical gradient between two light colours, partly clouded."""
    top, bottom = 0.4 + 0.6 * colours[rng.integers(len(colours), size=2)]
    height = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    cover = np.clip(cloud - rng.uniform(0.2, 1), 0, 1)[..., None].astype(np.float32)
    gradient = top + (bottom - top) * height
    return gradient + (np.float32(0.95) - gradient) * cover


def _clusters(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Where things are in focus: everywhere, or in patches with soft borders."""
    if rng.random() < 0.4:
        return np.ones((size, size), np.float32)
    field = smooth_field((size, size), size // 3, rng)
    return np.clip(6 * (field - np.float32(rng.uniform(0.3, 0.6))), 0, 1)


def _with_lines(canvas: Image, colours: Image, rng: np.random.Generator) -> Image:
    """Draws branches, wires and rows of letter-like strokes."""
    picture = Pillow.fromarray(to_pixels(canvas))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.poisson(5)):
        colour = _shade(colours, rng)
        draw.line(_wander(len(canvas), rng), fill=colour, width=int(rng.integers(2, 9)), joint="curve")
    for _ in range(rng.poisson(1.2)):
        _write(draw, len(canvas), _shade(colours, rng), rng)
    return np.asarray(picture).astype(np.float32) / np.float32(255)


def _shade(colours: Image, rng: np.random.Generator) -> tuple[int, ...]:
    """A colour of the palette, much darkened or lightened, as thin things are against the light."""
    target = float(rng.random() < 0.4)
    colour = target + (colours[rng.integers(len(colours))] - target) * rng.uniform(0.1, 0.8)
    return tuple(int(value) for value in to_pixels(colour))


def _wander(size: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """A curve from a random point in a slowly turning direction."""
    num_steps = int(rng.integers(10, 80))
    bend = rng.uniform(0, 0.3)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend * rng.standard_normal(num_steps))
    path = rng.uniform(0, size, (2, 1)) + np.cumsum(8 * np.stack([np.cos(heading), np.sin(heading)]), axis=1)
    return [(float(x), float(y)) for x, y in path.T]


def _write(draw: ImageDraw.ImageDraw, size: int, colour: tuple[int, ...], rng: np.random.Generator) -> None:
    """Rows of letter-like strokes: each letter is two or three lines between the points of a small grid."""
    left, top = rng.uniform(0, 0.8 * size, 2)
    height = rng.uniform(10, 30)
    for row in range(int(rng.integers(1, 5))):
        for column in range(int(rng.integers(3, 16))):
            corner = np.array([left + 0.8 * height * column, top + 1.5 * height * row])
            points = corner + height * np.array([0.25, 0.5]) * rng.integers(0, 3, (4, 2))
            draw.line([(float(x), float(y)) for x, y in points], fill=colour, width=max(2, int(height / 7)))


def _exposed(image: Image, rng: np.random.Generator) -> Image:
    """Stretches the tones to a random exposure and softens the image as a lens does."""
    dark, bright = np.percentile(image, (0.5, 99.5))
    stretched = (image - dark) / max(bright - dark, 1e-3) * rng.uniform(0.75, 1.05) + rng.uniform(0, 0.08)
    softness = rng.uniform(0, 0.6)
    return ndimage.gaussian_filter(np.clip(stretched, 0, 1).astype(np.float32), (softness, softness, 0))
