"""The BRISQUE extractor: natural scene statistics of an image, differentiable, at two scales.

BRISQUE looks at an image through its mean-subtracted contrast-normalised (MSCN) coefficients, whose distribution is
nearly the same for all undistorted photographs and changes with noise, blur and rain in ways that betray which of
them it was. SLKD compares these coefficients and their statistics between student and teacher encoder.

References:
    A. Mittal, A. K. Moorthy, A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain",
    IEEE Transactions on Image Processing 21(12), 2012.

Deviations:
    BRISQUE describes each distribution by the shape of a fitted (asymmetric) generalised Gaussian, read from a table;
    that carries no gradient in any implementation. Here moments are matched instead. Those of the coefficients
    determine BRISQUE's fit to them. Those of neighbour products do so in part: BRISQUE divides the left and right
    second moments by the share of products of that sign, which would jump, and reads the shape from ``E|p|``, in whose
    place the mean ``E p`` is matched, the asymmetry. Neighbours do not wrap round the border; half an odd size is
    rounded down, and the image not mirrored for it; colour, which BRISQUE ignores, is added because SLKD analyses it.
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
SMALLEST_SIDE = 4
"""Of an image, in pixels: half of it, the second scale, must still hold neighbours in every direction."""


class SceneStatistics(NamedTuple):
    """What BRISQUE sees in images of ``C`` channels and size ``(H, W)``.

    Attributes:
        structure: MSCN coefficients, ``(N, C, H, W)`` and ``(N, C, H // 2, W // 2)``, mostly within [-3, 3].
        naturalness: ``(N, C, 28)``: for each scale ``E|m|`` and ``E m**2``, then for the products with the neighbour
            on the right, below, below right and below left their mean, left and right second moment.
        colour: ``(N, 2 * C)``: mean of each channel, deviation of each channel. Opponent colours exist for red, green
            and blue only: with three channels ``(N, 8)``, the mean of red - green and of (red + green) / 2 - blue last.
    """

    structure: tuple[Tensor, Tensor]
    naturalness: Tensor
    colour: Tensor


def extract(image: Tensor) -> SceneStatistics:
    """Extracts the scene statistics of images.

    Args:
        image: ``(N, C, H, W)``, nominally in [0, 1]; sides from 4. Computed in float32 also under autocast.

    Raises:
        ValueError: No such batch, or a side below 4.
    """
    with torch.autocast(image.device.type, enabled=False):
        image = into_planes(image, SMALLEST_SIDE)
        grey_levels = 255 * image
        structure = (mscn(grey_levels, "constant"), mscn(halve(grey_levels), "constant"))
        naturalness = torch.cat([Moments.apply(m) for m in structure], dim=-1)
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
    return Normalisation.apply(image, _window(height, padding, image).mT, _window(width, padding, image))


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


class Normalisation(torch.autograd.Function):
    """``(I - mu) / (sigma + 1)`` with local moments smoothed as ``rows @ I @ columns``; see `mscn`.

    PyTorch's own gradient of the formula would keep more maps, and pass over them more often.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        mean = rows @ image @ columns
        variance = (rows @ image.square() @ columns).addcmul_(mean, mean, value=-1)
        is_rounding = variance < 0
        contrast = variance.clamp_min_(0).add_(VARIANCE_FLOOR).sqrt_().add_(CONTRAST_OFFSET)
        coefficients = (image - mean).div_(contrast)
        ctx.save_for_backward(image, rows, columns, mean, is_rounding, contrast, coefficients)
        return coefficients

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        image, rows, columns, mean, is_rounding, contrast, coefficients = ctx.saved_tensors
        direct = gradient / contrast
        # The variance is E[I**2] - mu**2: E[I**2] gets -spread / 2, and mu, besides -direct, mu * spread.
        spread = (direct * coefficients).div_(contrast - CONTRAST_OFFSET).masked_fill_(is_rounding, 0)
        through_mean = rows.mT @ torch.addcmul(direct, mean, spread, value=-1) @ columns.mT
        through_square = rows.mT @ spread @ columns.mT
        return direct.sub_(through_mean).addcmul_(image, through_square, value=-1), None, None


class Moments(torch.autograd.Function):
    """The 14 moments of coefficients ``(..., H, W)`` at one scale, ``(..., 14)``; see `SceneStatistics`.

    PyTorch's own gradient of the eight slices would write a full map for each of them; this one adds in place, and
    keeps nothing but the coefficients.
    """

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor) -> Tensor:
        ctx.save_for_backward(coefficients)
        moments = [_mean(coefficients.abs()), _mean_square(coefficients)]
        for here, there in _neighbours(coefficients):
            product = here * there
            moments.append(_mean(product))
            moments += [_mean_square(product.clamp_max(0)), _mean_square(product.clamp_min_(0))]
        return torch.stack(moments, dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (coefficients,) = ctx.saved_tensors
        magnitude, square, *of_products = gradient[..., None, None].unbind(dim=-3)
        pixels = _pixels(coefficients)
        result = (coefficients.sign() * (magnitude / pixels)).addcmul_(coefficients, square, value=2 / pixels)
        pairs = zip(_neighbours(coefficients), _neighbours(result), strict=True)
        for k, ((here, there), (here_result, there_result)) in enumerate(pairs):
            mean, left, right = (upstream / _pixels(here) for upstream in of_products[3 * k : 3 * k + 3])
            product = here * there
            slope = torch.addcmul(mean, product, left, value=2)
            slope.addcmul_(product.clamp_min_(0), right - left, value=2)
            here_result.addcmul_(there, slope)
            there_result.addcmul_(here, slope)
        return result


def _pixels(maps: Tensor) -> int:
    return maps.shape[-2] * maps.shape[-1]


def _mean(maps: Tensor) -> Tensor:
    return maps.mean(dim=(-2, -1))


def _mean_square(maps: Tensor) -> Tensor:
    return torch.linalg.vector_norm(maps, dim=(-2, -1)).square() / _pixels(maps)


def _neighbours(maps: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """Views of all pixels that have a neighbour, and of these, to the right, below and along both diagonals."""
    left, right, up, down = maps[..., :-1], maps[..., 1:], maps[..., :-1, :], maps[..., 1:, :]
    return (left, right), (up, down), (up[..., :-1], down[..., 1:]), (up[..., 1:], down[..., :-1])


def _colour(image: Tensor) -> Tensor:
    mean = image.mean(dim=(-2, -1), keepdim=True)
    deviation = torch.sqrt((image - mean).square().mean(dim=(-2, -1)) + COLOUR_VARIANCE_FLOOR)
    mean = mean.flatten(1)
    if image.shape[1] != 3:
        return torch.cat([mean, deviation], dim=-1)
    red, green, blue = mean.unbind(dim=-1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue], dim=-1)
    return torch.cat([mean, deviation, opponents], dim=-1)


def into_planes(image: Tensor, smallest_side: int) -> Tensor:
    """The image in at least float32, each channel's pixels next to each other: strided access would double the time.

    Raises:
        ValueError: Not a non-empty batch of images ``(N, C, H, W)`` with sides of at least ``smallest_side`` pixels.
    """
    if image.ndim != 4 or not image.numel() or min(image.shape[-2:]) < smallest_side:
        raise ValueError(
            f"expected a non-empty batch of images (N, C, H, W) with sides from {smallest_side}, got "
            f"{tuple(image.shape)}; take larger crops"
        )
    return image.to(torch.promote_types(image.dtype, torch.float32), memory_format=torch.contiguous_format)
