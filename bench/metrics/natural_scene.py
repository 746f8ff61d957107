"""Natural scene statistics: what BRISQUE, PIQE and NIQE measure on one image, without a reference.

Divided by their local contrast, the pixels of natural photographs and the products of neighbours follow generalised
Gaussians; distortions change the shapes. Everything here is float64, since variances are small differences of large
numbers. None of it carries gradients: shapes are read from a grid.

References:
    D. L. Ruderman, "The Statistics of Natural Images", Network: Computation in Neural Systems 5(4), 1994.
    K. Sharifi and A. Leon-Garcia, "Estimation of Shape Parameter for Generalized Gaussian Distributions in Subband
    Decompositions of Video", IEEE TCSVT 5(1), 1995.
    N.-E. Lasmar, Y. Stitou and Y. Berthoumieu, "Multiscale Skewed Heavy Tailed Model for Texture Analysis", ICIP 2009.
    R. G. Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE TASSP 29(6), 1981.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.metrics.luma import luma_unrounded

Border = Literal["zeros", "replicate"]
Colour = Literal["grey", "y"]

RADIUS = 3
_GAUSSIAN = [math.exp(-(offset**2) / (2 * (7 / 6) ** 2)) for offset in range(-RADIUS, RADIUS + 1)]
WINDOW = tuple(weight / sum(_GAUSSIAN) for weight in _GAUSSIAN)

SHAPES = tuple(0.2 + 0.001 * k for k in range(9801))
"""The grid of shape parameters; 2 is a Gaussian, 1 a Laplacian."""

HALVING = (-3 / 256, -9 / 256, 29 / 256, 111 / 256, 111 / 256, 29 / 256, -9 / 256, -3 / 256)
"""Half of Keys' kernel (a = -1/2) at distances 7/4, 5/4, 3/4 and 1/4; sums to one without rounding."""

ROUNDING_ERROR = 1e-10
"""Far above the rounding error of a mean of 8-bit values, far below any true difference from one."""


class AsymmetricFit(NamedTuple):
    """Asymmetric generalised Gaussians; NaN where the values are all zero or all of one sign.

    Attributes:
        shape: On the grid `SHAPES`.
        left: Root mean square of the negative values.
        right: Root mean square of the positive values.
        inverse_gamma: ``G(1/shape)``, with G the gamma function.
        double_gamma: ``G(2/shape)``.
        triple_gamma: ``G(3/shape)``.
    """

    shape: Tensor
    left: Tensor
    right: Tensor
    inverse_gamma: Tensor
    double_gamma: Tensor
    triple_gamma: Tensor


class _ShapeTable(NamedTuple):
    """Moment ratios on the grid; both rise with the shape."""

    shape: Tensor
    inverse_gamma: Tensor
    double_gamma: Tensor
    triple_gamma: Tensor
    minus_kurtosis: Tensor
    inverse_kurtosis: Tensor


def check_rgb(images: Tensor) -> None:
    """Refuses what no metric without a reference can score.

    Raises:
        ValueError: Not a non-empty RGB batch, neither uint8 nor floating-point, or outside [0, 255].
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        raise ValueError(
            f"expected a non-empty batch of RGB images (N, 3, H, W), got {tuple(images.shape)}; repeat grey as three "
            "channels, and add the batch axis"
        )
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise ValueError(f"expected uint8 images, or floats in [0, 255], got {images.dtype}")
    low, high = images.amin().item(), images.amax().item()
    if not 0 <= low <= high <= 255:
        raise ValueError(f"expected images in [0, 255], got values from {low} to {high}; clamp before scoring")


def per_image(function: Callable[[Tensor], Tensor], images: Tensor, colour: Colour = "grey") -> Tensor:
    """Stacks what a function of one grey image gives for each image of a batch.

    One by one, since otherwise the batch would change a score's last bits, and with them PIQE's decisions.

    Args:
        function: Maps ``(H, W)`` float64 to a tensor.
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].
        colour: The grey that it sees; see `grey`.

    Raises:
        ValueError: See `check_rgb`.
    """
    check_rgb(images)
    return torch.stack([function(grey(image.unsqueeze(0), colour)[0]) for image in images])


def grey(images: Tensor, colour: Colour = "grey") -> Tensor:
    """Grey values, rounded half to even, as piq and BasicSR do.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].
        colour: ``"grey"`` for ``0.299 R + 0.587 G + 0.114 B``, ``"y"`` for Y of ITU-R BT.601 in studio range.

    Returns:
        ``(N, H, W)`` float64.

    Raises:
        ValueError: No such colour.
    """
    if colour == "y":
        return luma_unrounded(images).squeeze(1).round()
    if colour != "grey":
        raise ValueError(f"expected colour 'grey' or 'y', got {colour!r}")
    red, green, blue = images.double().unbind(dim=1)
    # Integer weights: ties are exact, and fall the same way on every machine.
    return ((299 * red + 587 * green + 114 * blue) / 1000).round()


def mscn(image: Tensor, border: Border) -> Tensor:
    """Mean-subtracted contrast-normalised map: each pixel's difference from its local mean, over local deviation + 1.

    In exact arithmetic a flat patch is zero, and so it is here: the signs of rounding errors would otherwise decide
    the sides of the asymmetric fits, differently on each machine.

    Args:
        image: Grey, ``(N, H, W)`` or ``(N, 1, H, W)``.
        border: What lies outside of the image.

    Returns:
        The shape of ``image``, float64.
    """
    image = image.double()
    mean, deviation = local_moments(image, border)
    difference = image - mean
    return difference.where(difference.abs() > ROUNDING_ERROR, 0) / (deviation + 1)


def local_moments(image: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation under the 7x7 Gaussian window (standard deviation 7/6) around each pixel.

    Args:
        image: Grey, ``(N, H, W)`` or ``(N, 1, H, W)``.
        border: What lies outside of the image.

    Returns:
        Both of the shape of ``image``, float64.
    """
    padded = F.pad(image.double(), (RADIUS,) * 4, mode="constant" if border == "zeros" else border)
    mean = _filter(padded, WINDOW)
    # The difference may round to below zero where the variance is zero.
    variance = _filter(padded.square(), WINDOW) - mean.square()
    return mean, variance.abs().sqrt()


def halve(image: Tensor) -> Tensor:
    """Halves an image by antialiased bicubic interpolation, borders mirrored, as MATLAB's ``imresize(image, 0.5)``.

    Args:
        image: ``(..., H, W)``.

    Returns:
        ``(..., ceil(H / 2), ceil(W / 2))`` float64.
    """
    for dim in (-2, -1):
        size = image.shape[dim]
        image = mirror(image, dim, before=3, after=3 + size % 2)
    return _filter(image.double(), HALVING, step=2)


def mirror(image: Tensor, dim: int, before: int = 0, after: int = 0) -> Tensor:
    """Continues an image beyond its borders in mirrored order, the pixel at the border repeated."""
    size = image.shape[dim]
    position = torch.arange(-before, size + after, device=image.device).remainder(2 * size)
    return image.index_select(dim, torch.minimum(position, 2 * size - 1 - position))


def fit_symmetric(values: Tensor) -> tuple[Tensor, Tensor]:
    """Fits a generalised Gaussian of mean zero by its moments.

    Args:
        values: ``(..., M)`` float64.

    Returns:
        Shape, on the grid `SHAPES`, and variance, both ``(...)``. The shape is NaN where all values are zero.
    """
    table = _shape_table(values.device)
    variance = values.square().mean(dim=-1)
    kurtosis = variance / values.abs().mean(dim=-1).square()
    index, is_defined = _nearest(table.minus_kurtosis, -kurtosis)
    return table.shape[index].where(is_defined, math.nan), variance


def fit_asymmetric(values: Tensor) -> AsymmetricFit:
    """Fits an asymmetric generalised Gaussian of mode zero by its moments.

    Args:
        values: ``(..., M)`` float64.

    Returns:
        Its parameters, each ``(...)``.
    """
    table = _shape_table(values.device)
    left, right = (side.square().sum(dim=-1) / (side > 0).sum(dim=-1) for side in (F.relu(-values), F.relu(values)))
    left, right = left.sqrt(), right.sqrt()
    skew = left / right
    ratio = values.abs().mean(dim=-1).square() / values.square().mean(dim=-1)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    index, is_defined = _nearest(table.inverse_kurtosis, ratio)
    gammas = (table.inverse_gamma[index], table.double_gamma[index], table.triple_gamma[index])
    parameters = (table.shape[index], left, right, *gammas)
    return AsymmetricFit(*(parameter.where(is_defined, math.nan) for parameter in parameters))


@cache
def _shape_table(device: torch.device) -> _ShapeTable:
    gammas = [[math.gamma(order / shape) for shape in SHAPES] for order in (1, 2, 3)]
    shape, first, second, third = torch.tensor([SHAPES, *gammas], dtype=torch.float64)
    columns = (shape, first, second, third, -first * third / second**2, second**2 / (first * third))
    return _ShapeTable(*(column.to(device) for column in columns))


def _nearest(table: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the entry nearest to each value in a rising table, the first of two; and whether the value is one."""
    above = torch.searchsorted(table, value.contiguous()).clamp(1, len(table) - 1)
    is_above = (table[above] - value).abs() < (value - table[above - 1]).abs()
    return torch.where(is_above, above, above - 1), ~value.isnan()


def _filter(image: Tensor, window: tuple[float, ...], step: int = 1) -> Tensor:
    """Weighted sums under a separable window, where it fits, at every ``step``-th position."""
    return _filter_along(_filter_along(image, window, step, -2), window, step, -1)


def _filter_along(image: Tensor, window: tuple[float, ...], step: int, dim: int) -> Tensor:
    """One pass of the window, as a sum of shifted views: faster on CPU than float64 convolutions."""
    views = image.unfold(dim, len(window), step).unbind(dim=-1)
    filtered = views[0] * window[0]
    for view, weight in zip(views[1:], window[1:], strict=True):
        filtered.add_(view, alpha=weight)
    return filtered
