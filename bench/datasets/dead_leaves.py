"""Dead leaves: textured, shaded shapes of power-law sizes that occlude one another.

Sizes that follow ``r^-3`` give an image the statistics that natural ones have at every scale: edges from occlusion, a
power spectrum near ``f^-2``, heavy-tailed gradients.

References:
    A. B. Lee, D. Mumford and J. Huang, "Occlusion Models for Natural Images", IJCV 2001.
    R. Achddou, Y. Gousseau and S. Ladjal, "Synthetic Images as a Regularity Prior for Image Restoration Neural
    Networks", SSVM 2021.

Deviations:
    They colour leaves with colours of photographs; here palettes are made up, so that no photograph, least of all a
    test photograph, is behind a training image. Leaves also have outlines of many kinds, textures, and shadows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from bench.datasets.degrade import Image

# Hue, its spread and saturation (HSV) of what is common outdoors and indoors, and how common it is.
COLOUR_FAMILIES = np.array(
    [
        # hue, spread, least and most saturation, weight
        [0.27, 0.06, 0.25, 0.75, 5],  # foliage
        [0.18, 0.04, 0.25, 0.70, 2],  # dry grass
        [0.08, 0.03, 0.25, 0.75, 5],  # earth, wood, skin
        [0.60, 0.05, 0.15, 0.65, 3],  # sky, water
        [0.10, 0.30, 0.00, 0.12, 5],  # stone, concrete, clouds
        [0.99, 0.03, 0.50, 0.95, 1],  # red things
        [0.13, 0.02, 0.50, 0.95, 1],  # yellow things
        [0.75, 0.08, 0.20, 0.70, 1],  # violet things
    ]
)


def palette(num_colours: int, rng: np.random.Generator) -> Image:
    """Draws the colours of a scene, ``(num_colours, 3)`` RGB in [0, 1], from two to four families."""
    weights = COLOUR_FAMILIES[:, 4] / COLOUR_FAMILIES[:, 4].sum()
    chosen = rng.choice(len(COLOUR_FAMILIES), int(rng.integers(2, 5)), replace=False, p=weights)
    hue, spread, low, high, _ = COLOUR_FAMILIES[rng.choice(chosen, num_colours)].T
    saturation = rng.uniform(low, high)
    value = rng.beta(1.3, 1.5, num_colours)
    # HSV to RGB: each channel is a clipped triangle wave of the hue.
    phase = (hue + spread * rng.uniform(-1, 1, num_colours))[:, None] * 6 + np.array([0.0, 4.0, 2.0])
    wave = np.clip(np.abs(phase % 6 - 3) - 1, 0, 1)
    return (value[:, None] * (1 - saturation[:, None] * (1 - wave))).astype(np.float32)


def textures(num_textures: int, size: int, rng: np.random.Generator) -> Image:
    """Draws periodic textures ``(num_textures, size, size)`` in [0, 1]: clouds of every roughness, and stripes."""
    made = []
    for _ in range(num_textures):
        cloud = _cloud(size, rng.uniform(0.8, 2.6), rng)
        made.append(_stripes(cloud, rng) if rng.random() < 0.4 else cloud)
    return np.stack(made)


def _cloud(size: int, exponent: float, rng: np.random.Generator) -> Image:
    """Noise with the power spectrum ``f^-exponent``, squeezed into [0, 1]."""
    frequency = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size))
    frequency[0, 0] = np.inf
    spectrum = fft.rfft2(rng.standard_normal((size, size), dtype=np.float32)) * frequency ** (-exponent / 2)
    noise = fft.irfft2(spectrum, (size, size))
    return (0.5 + 0.5 * np.tanh(0.8 * noise / noise.std())).astype(np.float32)


def _stripes(cloud: Image, rng: np.random.Generator) -> Image:
    """Parallel stripes, bent by a cloud, from sinusoidal to hard-edged."""
    size = len(cloud)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    num_cycles = rng.integers(-90, 91, 2)
    wave = np.sin(2 * np.pi * (num_cycles[0] * y + num_cycles[1] * x) + rng.uniform(0, 8) * cloud)
    hardness = rng.uniform(0.5, 4)
    return (0.5 + 0.5 * np.tanh(hardness * wave) / np.tanh(hardness)).astype(np.float32)


@dataclass(frozen=True)
class Leaves:
    """What the leaves of a scene have in common.

    Attributes:
        colours: The palette, ``(num_colours, 3)``.
        textures: ``(num_textures, S, S)``, each at least as large as the canvas.
        radii: Smallest and largest radius in pixels.
        has_shadows: Whether leaves darken what is behind them.
    """

    colours: Image
    textures: Image
    radii: tuple[float, float]
    has_shadows: bool

    def paint(self, canvas: Image, coverage: float, where: NDArray[np.float32], rng: np.random.Generator) -> None:
        """Paints leaves onto ``canvas`` ``(S, S, 3)``, back to front.

        Args:
            canvas: Changed in place.
            coverage: Total area of the leaves in units of the canvas's.
            where: ``(S, S)``: the probability that a leaf whose middle is here is painted.
            rng: The only source of randomness.
        """
        size = len(canvas)
        low, high = (radius**-2.0 for radius in self.radii)
        # Inverse of the cumulative distribution of the density r^-3 between the two radii.
        draw = int(coverage * size * size / (2 * np.pi * np.log(self.radii[1] / self.radii[0]) / (low - high)))
        radii = (low - rng.random(draw) * (low - high)) ** -0.5
        middles = rng.uniform(0, size, (draw, 2))
        accepted = rng.random(draw) < where[tuple(middles.astype(int).T)]
        for radius, middle in zip(radii[accepted], middles[accepted], strict=True):
            self._paint_one(canvas, radius, middle, rng)

    def _paint_one(self, canvas: Image, radius: float, middle: NDArray[Any], rng: np.random.Generator) -> None:
        top, left = np.maximum(np.floor(middle - radius), 0).astype(int)
        bottom, right = np.minimum(np.ceil(middle + radius) + 1, len(canvas)).astype(int)
        window = slice(top, bottom), slice(left, right)
        y = (np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(middle[0])) / np.float32(radius)
        x = (np.arange(left, right, dtype=np.float32) - np.float32(middle[1])) / np.float32(radius)
        inside = _outline(y, x, rng)
        if self.has_shadows and radius > 6:
            down, across = rng.integers(1, 2 + int(radius / 6), 2)
            shaded = canvas[top + down : bottom + down, left + across : right + across]
            shaded *= 1 - np.float32(0.45) * inside[: len(shaded), : shaded.shape[1], None]
        canvas[window][inside] = self._surface(window, y, x, rng)[inside]

    def _surface(self, window: tuple[slice, slice], y: Image, x: Image, rng: np.random.Generator) -> Image:
        """Two colours mixed by a texture, times a shading: a gradient, sometimes rounded like a ball."""
        first, second = self.colours[rng.integers(len(self.colours), size=2)]
        texture = self.textures[rng.integers(len(self.textures))]
        if rng.random() < 0.5:
            texture = texture.T
        contrast = np.float32(rng.beta(1.3, 1.7))
        mixed = first + (second - first) * (contrast * texture[window])[..., None]
        slope = rng.uniform(-0.35, 0.35, 2).astype(np.float32)
        shading = 1 + slope[0] * y + slope[1] * x
        if rng.random() < 0.3:
            shading = shading * np.sqrt(np.clip(1.2 - y * y - x * x, 0.1, 1))
        return mixed * shading[..., None]


def _outline(y: Image, x: Image, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The inside of a shape that fits the unit circle: an ellipse, a lobed blob, or a polygon of three to six sides."""
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = cos * x + sin * y, cos * y - sin * x
    v = v * np.float32(1 / rng.uniform(0.25, 1))
    kind = rng.random()
    if kind < 0.4:
        return u * u + v * v < 1
    if kind < 0.6:
        lobes, depth = int(rng.integers(2, 8)), np.float32(rng.uniform(0.1, 0.45))
        return np.sqrt(u * u + v * v) < 1 - depth + depth * np.cos(lobes * np.arctan2(v, u))
    num_sides = int(rng.integers(3, 7))
    normals = 2 * np.pi * (np.arange(num_sides) + rng.uniform(-0.25, 0.25, num_sides)) / num_sides
    distance = np.float32(np.cos(np.pi / num_sides))
    inside = np.ones(np.broadcast_shapes(u.shape, v.shape), bool)
    for normal in normals.astype(np.float32):
        inside &= np.cos(normal) * u + np.sin(normal) * v < distance
    return inside & (u * u + v * v < 1)
