"""The BRISQUE extractor: natural scene statistics of an image, differentiable, at two scales.

BRISQUE looks at an image through its mean-subtracted contrast-normalised (MSCN) coefficients, whose distribution is
nearly the same for all undistorted photographs and changes with noise, blur and rain in ways that betray which of
them it was. SLKD compares these coefficients and their statistics between student and teacher encoder.

References:
    A. Mittal, A. K. Moorthy, A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain",
    IEEE Transactions on Image Processing 21(12), 2012.

Deviations:
    BRISQUE describes each distribution by the shape of a fitted (asymmetric) generalised Gaussian, read from a table;
    that carries no gradient in any implementation. Here the moments that determine the fits are matched instead.
    The left and right second moments are taken over all products, not over those of that sign, whose number would
    jump; neighbour products do not wrap round the border; colour, which BRISQUE ignores, is added because SLKD
    analyses it.
"""

from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

WINDOW_SIZE, WINDOW_STD = 7, 7 / 6
CONTRAST_OFFSET = 1.0
"""Keeps flat regions, whose contrast is zero, from being amplified; in grey levels of 0 to 255."""
VARIANCE_FLOOR = 1e-3
"""Bounds the gradient of the local deviation where an image is flat; in squared grey levels."""
COLOUR_VARIANCE_FLOOR = 1e-6
"""The same for the deviation of a channel, whose values are in [0, 1]."""


class SceneStatistics(NamedTuple):
    """What BRISQUE sees in RGB images of size ``(H, W)``.

    Attributes:
        structure: MSCN coefficients, ``(N, 3, H, W)`` and ``(N, 3, H // 2, W // 2)``, mostly within [-3, 3].
        naturalness: ``(N, 3, 28)``: for each scale ``E|m|`` and ``E m**2``, then for the products of four neighbours
            their mean, left and right second moment.
        colour: ``(N, 8)``: mean and deviation of each channel, mean of red - green and of (red + green) / 2 - blue.
    """

    structure: tuple[Tensor, Tensor]
    naturalness: Tensor
    colour: Tensor


def extract(image: Tensor) -> SceneStatistics:
    """Extracts the scene statistics of RGB-like images.

    Args:
        image: ``(N, 3, H, W)``, nominally in [0, 1]; sides from 8. Computed in float32 also under autocast.
    """
    with torch.autocast(image.device.type, enabled=False):
        image = image.to(torch.promote_types(image.dtype, torch.float32))
        grey_levels = 255 * image
        structure = (mscn(grey_levels, "constant"), mscn(halve(grey_levels), "constant"))
        naturalness = torch.cat([_moments(m) for m in structure], dim=-1)
        return SceneStatistics(structure, naturalness, _colour(image))


def distance(student: Tensor, teacher: Tensor) -> Tensor:
    """L_NC of two batches of images: what `extract` returns for one, compared with what it returns for the other.

    The mean absolute difference of structure (averaged over the scales), of naturalness and of colour, summed.
    """
    ours, theirs = extract(student), extract(teacher)
    fine, coarse = (F.l1_loss(s, t) for s, t in zip(ours.structure, theirs.structure, strict=True))
    naturalness = F.l1_loss(ours.naturalness, theirs.naturalness)
    return (fine + coarse) / 2 + naturalness + F.l1_loss(ours.colour, theirs.colour)


def mscn(image: Tensor, padding: Literal["constant", "replicate"]) -> Tensor:
    """Mean-subtracted contrast-normalised coefficients ``(I - mu) / (sigma + 1)``, the window a 7x7 Gaussian.

    Args:
        image: ``(..., H, W)`` in grey levels of 0 to 255, float32 or float64.
        padding: How the image continues beyond its border: with zeros (BRISQUE) or with its edge (PIQE).

    Returns:
        The coefficients, same shape.
    """
    height, width = image.shape[-2:]
    rows, columns = _window(height, padding, image).mT, _window(width, padding, image)
    mean = rows @ image @ columns
    variance = rows @ image.square() @ columns - mean.square()
    deviation = torch.sqrt(variance.clamp_min(0) + VARIANCE_FLOOR)
    return (image - mean) / (deviation + CONTRAST_OFFSET)


def halve(image: Tensor) -> Tensor:
    """Reduces ``(..., H, W)`` to ``(..., H // 2, W // 2)`` by antialiased bicubic interpolation."""
    height, width = image.shape[-2:]
    return _halving(height, image).mT @ image @ _halving(width, image)


# Both filters are separable and crops are small: as dense matrices they take one product per direction, forward and
# backward, where convolutions of single-channel images are an order of magnitude slower on CPU. The local variance is a
# small difference of large numbers, so these products need full float32, PyTorch's default, and not TF32.
def _window(size: int, padding: str, like: Tensor) -> Tensor:
    """The matrix ``(size, size)`` that smooths rows ``x`` as ``x @ matrix``."""
    radius = WINDOW_SIZE // 2
    offsets = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype)
    weights = torch.softmax(-offsets.square() / (2 * WINDOW_STD**2), dim=0)
    impulses = torch.eye(size, device=like.device, dtype=like.dtype)
    return F.pad(impulses[None], (radius, radius), mode=padding)[0].unfold(-1, WINDOW_SIZE, 1) @ weights


def _halving(size: int, like: Tensor) -> Tensor:
    """The matrix ``(size, size // 2)`` that halves rows ``x`` as ``x @ matrix``."""
    impulses = torch.eye(size, device=like.device, dtype=like.dtype)
    return F.interpolate(impulses[None, None], (size, size // 2), mode="bicubic", antialias=True)[0, 0]


def _moments(coefficients: Tensor) -> Tensor:
    """The 14 moments of ``(N, C, H, W)`` coefficients, ``(N, C, 14)``."""
    magnitude, square = coefficients.abs(), coefficients.square()
    own = torch.stack([magnitude.mean(dim=(-2, -1)), square.mean(dim=(-2, -1))], dim=-1)
    # With p the product of two neighbours, p**2 and p * |p| are products of neighbours too: of m**2 and of m * |m|.
    maps = torch.stack([coefficients, square, coefficients * magnitude], dim=2)
    mean, total, signed = NeighbourMeans.apply(maps).unbind(dim=2)
    neighbours = torch.stack([mean, (total - signed) / 2, (total + signed) / 2], dim=-1)
    return torch.cat([own, neighbours.flatten(2)], dim=-1)


class NeighbourMeans(torch.autograd.Function):
    """The mean product of neighbours of maps ``(..., H, W)`` in the four directions, ``(..., 4)``.

    PyTorch's own gradient of the eight slices would write a full map for each of them; this one adds in place.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        ctx.save_for_backward(maps)
        return torch.stack([(here * there).mean(dim=(-2, -1)) for here, there in _neighbours(maps)], dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (maps,) = ctx.saved_tensors
        result = torch.zeros_like(maps)
        pairs = zip(_neighbours(maps), _neighbours(result), gradient.unbind(dim=-1), strict=True)
        for (here, there), (here_result, there_result), upstream in pairs:
            share = (upstream / (here.shape[-2] * here.shape[-1]))[..., None, None]
            here_result.addcmul_(there, share)
            there_result.addcmul_(here, share)
        return result


def _neighbours(maps: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """Views of all pixels that have a neighbour, and of these, to the right, below and along both diagonals."""
    left, right, up, down = maps[..., :-1], maps[..., 1:], maps[..., :-1, :], maps[..., 1:, :]
    return (left, right), (up, down), (up[..., :-1], down[..., 1:]), (up[..., 1:], down[..., :-1])


def _colour(image: Tensor) -> Tensor:
    mean = image.mean(dim=(-2, -1), keepdim=True)
    deviation = torch.sqrt((image - mean).square().mean(dim=(-2, -1)) + COLOUR_VARIANCE_FLOOR)
    mean = mean.flatten(1)
    red, green, blue = mean.unbind(dim=-1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue], dim=-1)
    return torch.cat([mean, deviation, opponents], dim=-1)
