"""Synthetic degradations: from a clean image to what a camera in rain, motion, darkness or haze would have recorded.

Every degradation of the embedded sets returns values that an 8-bit file can hold, since that is how degraded images
reach a network: the test images are files, so the training images must look as if they came from files.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Image = NDArray[np.float32]
Range = tuple[float, float]


class Degradation(Protocol):
    """A random map from clean to degraded images."""

    @property
    def margin(self) -> int:
        """How many pixels beyond each border of the result the degradation looks at."""

    def __call__(self, clean: Image, rng: np.random.Generator) -> Image:
        """Degrades an image.

        Args:
            clean: ``(H + 2 * margin, W + 2 * margin, 3)`` float32 RGB in [0, 1].
            rng: The only source of randomness.

        Returns:
            ``(H, W, 3)`` float32, aligned with the centre of ``clean``: multiples of 1/255 in [0, 1], as a file holds
            them, but for `UnclippedNoise`.
        """


def to_float(pixels: NDArray[np.uint8]) -> Image:
    """Converts 8-bit values to float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)


def to_pixels(image: Image) -> NDArray[np.uint8]:
    """Rounds values in [0, 1] to 8 bits; values outside are clipped first."""
    return np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)


def _quantized(image: Image) -> Image:
    return to_float(to_pixels(image))


@dataclass(frozen=True)
class Noise:
    """Additive white Gaussian noise, independent per pixel and channel: ``I = J + n``, ``n ~ N(0, sigma^2)``.

    Attributes:
        sigma: Range of the standard deviation, in units of 1/255; one value is drawn per image.

    Deviations:
        Many papers leave noisy values unclipped and unrounded, which no file can hold (`UnclippedNoise`); with these,
        scores are not comparable at high sigma.
    """

    sigma: Range
    margin: ClassVar[int] = 0

    def __call__(self, clean: Image, rng: np.random.Generator) -> Image:
        sigma = np.float32(rng.uniform(*self.sigma) / 255)
        return _quantized(clean + sigma * rng.standard_normal(clean.shape, dtype=np.float32))


@dataclass(frozen=True)
class UnclippedNoise:
    """`Noise` as denoising papers add it: to floating-point images, neither clipped nor rounded afterwards.

    Attributes:
        sigma: Standard deviation, in units of 1/255.

    References:
        K. Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", TIP 2017.
    """

    sigma: float
    margin: ClassVar[int] = 0

    def __call__(self, clean: Image, rng: np.random.Generator) -> Image:
        return clean + np.float32(self.sigma / 255) * rng.standard_normal(clean.shape, dtype=np.float32)


@dataclass(frozen=True)
class Haze:
    """The scattering model: ``I = J t + A (1 - t)`` with transmission ``t = exp(-beta d)``.

    The depth ``d`` in [0, 1] is smooth: random values on a coarse lattice, interpolated smoothly in between.

    Attributes:
        beta: Range of the scattering coefficient; one value is drawn per image.
        airlight: Range of the brightness of ``A``, in [0, 1].
        tint: How far each channel of ``A`` may be from its brightness.
        cell: Distance of the lattice's points in pixels: the scale at which depth changes.

    References:
        S. G. Narasimhan and S. K. Nayar, "Vision and the Atmosphere", IJCV 2002, Eq. 6 and 14.
        B. Li et al., "Benchmarking Single-Image Dehazing and Beyond" (RESIDE), TIP 2019: ranges of beta and A.

    Deviations:
        The depth is not that of the scene, which is unknown for a photograph.
    """

    beta: Range
    airlight: Range = (0.75, 1.0)
    tint: float = 0.03
    cell: int = 192
    margin: ClassVar[int] = 0

    def __call__(self, clean: Image, rng: np.random.Generator) -> Image:
        depth = smooth_field(clean.shape[:2], self.cell, rng)
        transmission = np.exp(np.float32(-rng.uniform(*self.beta)) * depth)[..., None]
        airlight = rng.uniform(*self.airlight) + rng.uniform(-self.tint, self.tint, 3)
        airlight = np.clip(airlight, 0, 1).astype(np.float32)
        return _quantized(airlight + (clean - airlight) * transmission)


def smooth_field(shape: tuple[int, ...], cell: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Value noise: uniform values in [0, 1] on a lattice with a random offset, interpolated by smoothstep.

    Args:
        shape: Height and width of the field.
        cell: Distance of the lattice's points in pixels.
        rng: The only source of randomness.

    References:
        K. Perlin, "An Image Synthesizer", SIGGRAPH 1985.
    """
    rows, columns = (_lattice_weights(length, cell, rng.uniform()) for length in shape)
    knots = rng.random((rows.shape[1], columns.shape[1]), dtype=np.float32)
    field: NDArray[np.float32] = rows.dot(knots).dot(columns.T)
    return field


def _lattice_weights(length: int, cell: int, offset: float) -> NDArray[np.float32]:
    """``(length, knots)``: how much each pixel takes from each lattice point, two points a pixel."""
    position = np.arange(length, dtype=np.float32) / np.float32(cell) + np.float32(offset)
    knots = np.arange(int(position[-1]) + 2, dtype=np.float32)
    nearness: NDArray[np.float32] = np.clip(1 - np.abs(position[:, None] - knots), 0, 1)
    return nearness * nearness * (3 - 2 * nearness)


@dataclass(frozen=True)
class Rain:
    """Additive rain streaks: ``I = J + sum_l S_l``, with layers from far (thin, short) to near (wide, long).

    Rain of one image falls in one direction. A streak is a straight line of light, tapered towards its ends, with a
    Gaussian profile across; it has no colour.

    Attributes:
        density: Range of the number of streaks per 10,000 pixels, all layers together.
        brightness: Range of the peak of a streak, in [0, 1]; drawn per image, then varied per streak by a third.
        length: Length of the farthest and of the nearest layer's streaks in pixels.
        width: Standard deviation of the profile of the farthest and the nearest layer's streaks in pixels.
        angle: Range of the direction, in degrees from the vertical.
        layers: Number of layers.

    References:
        W. Yang et al., "Deep Joint Rain Detection and Removal from a Single Image", CVPR 2017, Eq. 3 (layers).
        K. Garg and S. K. Nayar, "Photorealistic Rendering of Rain Streaks", SIGGRAPH 2006.
    """

    density: Range
    brightness: Range
    length: Range = (10.0, 45.0)
    width: Range = (0.4, 0.9)
    angle: Range = (-40.0, 40.0)
    layers: int = 3
    margin: ClassVar[int] = 0

    def __call__(self, clean: Image, rng: np.random.Generator) -> Image:
        density, brightness = rng.uniform(*self.density), rng.uniform(*self.brightness)
        angle = np.deg2rad(rng.uniform(*self.angle))
        streaks = np.zeros(clean.shape[:2], np.float32)
        for nearness in np.linspace(0, 1, self.layers):
            length = (1 - nearness) * self.length[0] + nearness * self.length[1]
            width = (1 - nearness) * self.width[0] + nearness * self.width[1]
            lines = _lines(clean.shape[:2], density * 1e-4 / self.layers, length, angle, rng)
            # A line one sample wide peaks at 1 / (sqrt(2 pi) width) after the blur that gives it its profile.
            peak = brightness * max(1.0, np.sqrt(2 * np.pi) * width)
            streaks += np.float32(peak) * ndimage.gaussian_filter(lines, width, truncate=2.5)
        return _quantized(clean + streaks[..., None])


def _lines(
    shape: tuple[int, ...], density: float, length: float, angle: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draws tapered parallel lines one sample wide; their middles lie anywhere that lets them reach the image."""
    along = np.linspace(-0.5, 0.5, int(np.ceil(length)))
    direction = np.array([np.cos(angle), np.sin(angle)])
    reach = length * np.abs(direction)
    num_lines = rng.poisson(density * np.prod(shape + reach))
    middle = rng.random((num_lines, 2)) * (shape + reach) - reach / 2
    extent = length * rng.uniform(0.6, 1.0, (num_lines, 1)) * along
    strength = rng.uniform(0.67, 1.33, (num_lines, 1)) * np.cos(np.pi * along)
    y, x = (middle[:, axis, None] + direction[axis] * extent for axis in (0, 1))
    return _splat(y, x, strength, shape)


@dataclass(frozen=True)
class MotionBlur:
    """Camera shake: convolution with the trajectory of a random walk with inertia.

    The camera moves at constant speed while its heading drifts (a random walk that keeps its turning rate for a
    while) and sometimes jerks back, as a hand corrects. The kernel's centre of mass is at the origin, so
    that degraded and clean images stay registered.

    Attributes:
        length: Range of the trajectory's length in pixels; one value is drawn per image.
        margin: Radius of the largest kernel in pixels; longer trajectories are shrunk to fit.
        drift: Standard deviation of the turning rate, in radians per pixel.
        jerk: Mean number of reversals per trajectory.

    References:
        G. Boracchi and A. Foi, "Modeling the Performance of Image Restoration from Motion Blur", TIP 2012.
        O. Kupyn et al., "DeblurGAN", CVPR 2018, Algorithm 1.

    Deviations:
        Their velocity is renormalised to constant length at every step; here only its heading is drawn, which is the
        same family of curves without a loop. Values are blurred as they are, without a camera's response curve.
    """

    length: Range
    margin: int = 12
    drift: float = 0.12
    jerk: float = 0.5

    def __call__(self, clean: Image, rng: np.random.Generator) -> Image:
        kernel = self._kernel(rng)
        # Circular convolution: what wraps around stays within the margin that is cut away.
        shape = [fft.next_fast_len(length, real=True) for length in clean.shape[:2]]
        planes = np.ascontiguousarray(clean.transpose(2, 0, 1))
        spectrum = fft.rfft2(planes, shape) * fft.rfft2(kernel, shape)
        blurred = fft.irfft2(spectrum, shape, overwrite_x=True)
        height, width = (length - 2 * self.margin for length in clean.shape[:2])
        offset = 2 * self.margin
        valid = blurred[:, offset : offset + height, offset : offset + width]
        return _quantized(valid.transpose(1, 2, 0))

    def _kernel(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draws a kernel ``(2 * margin + 1, 2 * margin + 1)`` that sums to one."""
        length = rng.uniform(*self.length)
        num_steps = 4 * int(np.ceil(length)) + 1
        step = length / num_steps
        turning = ndimage.gaussian_filter1d(rng.standard_normal(num_steps), 8.0) * np.sqrt(2 * 8.0 * np.sqrt(np.pi))
        jerks = (rng.random(num_steps) < self.jerk / num_steps) * rng.uniform(0.75, 1.25, num_steps) * np.pi
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(self.drift * step * turning + jerks)
        path = np.cumsum(step * np.exp(1j * heading))
        path -= path.mean()
        path *= min(1.0, self.margin / max(np.abs(path.real).max(), np.abs(path.imag).max(), 1e-9))
        size = 2 * self.margin + 1
        kernel = _splat(path.real + self.margin, path.imag + self.margin, np.ones(num_steps), (size, size))
        return kernel / kernel.sum()


def _splat(
    y: NDArray[np.floating], x: NDArray[np.floating], weight: NDArray[np.floating], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Adds points of light at subpixel positions to a dark image, bilinearly; those outside are lost."""
    height, width = shape
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    below, right = y - top, x - left
    # One pixel of frame takes what a point just outside the image spreads outwards.
    is_inside = (top >= -1) & (top < height) & (left >= -1) & (left < width)
    first = ((top + 1) * (width + 2) + left + 1)[is_inside]
    weight, below, right = weight[is_inside], below[is_inside], right[is_inside]
    corners = np.concatenate([first, first + 1, first + width + 2, first + width + 3])
    above, before = 1 - below, 1 - right
    shares = np.concatenate([above * before, above * right, below * before, below * right])
    canvas = np.bincount(corners, shares * np.tile(weight, 4), (height + 2) * (width + 2))
    return canvas.reshape(height + 2, width + 2)[1:-1, 1:-1].astype(np.float32)
