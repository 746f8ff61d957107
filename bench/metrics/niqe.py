"""NIQE: the distance of an image's natural scene statistics from a model of pristine photographs, without a reference.

Lower is better, and the scale is that of the model: scores by two models are not comparable, so a score is reported
with the digest of its model.

References:
    A. Mittal, R. Soundararajan and A. C. Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE SPL 20(3),
    2013.
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.metrics.metric import METRICS, WEIGHTS, Metric, MetricUnavailableError
from bench.metrics.natural_scene import (
    WINDOW,
    Colour,
    check_rgb,
    fit_asymmetric,
    grey,
    halve,
    local_moments,
    mscn,
    per_image,
)

BLOCK = 96
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
NUM_FEATURES = 36

SHARPNESS = 0.75
"""Blocks of pristine images count from this share of the sharpness of the image's sharpest block; in the paper, T."""

MIN_BLOCKS = NUM_FEATURES + 1
"""Of a model: from fewer blocks, the covariance has no inverse."""

_NAMES = (("mean", "covariance"), ("mu_pris_param", "cov_pris_param"))
"""Of the arrays in a file: ours, and BasicSR's."""


@dataclass(frozen=True, eq=False)
class NiqeParameters:
    """The model of pristine photographs: one Gaussian over the features of their blocks.

    Attributes:
        mean: ``(36,)`` float64.
        covariance: ``(36, 36)`` float64.
    """

    mean: Tensor
    covariance: Tensor

    def __post_init__(self) -> None:
        shapes = (tuple(self.mean.shape), tuple(self.covariance.shape))
        if shapes != ((NUM_FEATURES,), (NUM_FEATURES, NUM_FEATURES)):
            raise ValueError(f"expected a mean (36,) and a covariance (36, 36), got {shapes[0]} and {shapes[1]}")
        if not (self.mean.isfinite().all() and self.covariance.isfinite().all()):
            raise ValueError("expected a finite mean and covariance, got NaN or infinity; fit the model again")

    @property
    def sha256(self) -> str:
        """Of the values, whatever file they came from."""
        values = torch.cat([self.mean, self.covariance.flatten()])
        return hashlib.sha256(values.cpu().numpy().astype("<f8").tobytes()).hexdigest()

    def content(self) -> bytes:
        """What a file of it holds: ``.npz``."""
        buffer = io.BytesIO()
        np.savez(buffer, mean=self.mean.cpu().numpy(), covariance=self.covariance.cpu().numpy())
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> "NiqeParameters":
        """Reads a file of `content`, or BasicSR's ``niqe_pris_params.npz``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged or holds something else.
        """
        content = path.read_bytes()
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # zipfile, zlib and numpy each have their own errors for a damaged file
            raise ValueError(f"{path}: damaged, or no .npz of numbers ({error}); copy or fit it again") from error
        try:
            return cls._from_arrays(arrays)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def _from_arrays(cls, arrays: dict[str, np.ndarray]) -> "NiqeParameters":
        names = next((names for names in _NAMES if set(names) <= set(arrays)), None)
        if names is None:
            raise ValueError(f"expected {' or '.join(map(' and '.join, _NAMES))}, got {', '.join(sorted(arrays))}")
        window = arrays.get("gaussian_window")
        if window is not None and not _is_our_window(window):
            raise ValueError("made for another window than the 7x7 Gaussian of standard deviation 7/6; fit a new model")
        mean, covariance = (torch.from_numpy(arrays[name].astype(np.float64)) for name in names)
        return cls(mean.flatten(), covariance)


def find_parameters() -> NiqeParameters:
    """Reads the model from ``weights/niqe.npz``.

    Raises:
        MetricUnavailableError: There is none.
        ValueError: It is damaged or holds something else.
    """
    path = WEIGHTS / "niqe.npz"
    if not path.is_file():
        raise MetricUnavailableError(
            f"NIQE needs a model of pristine photographs, and there is no {path}; fit one with `python -m bench "
            "metrics fit-niqe --from DIR`, or copy BasicSR's niqe_pris_params.npz there"
        )
    return _read_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read_once(path: Path, changed_at: int) -> NiqeParameters:
    return NiqeParameters.read(path)


def niqe(images: Tensor, parameters: NiqeParameters, colour: Colour = "grey") -> Tensor:
    """NIQE of each image.

    Blocks without texture have no statistics and are left out, as by MATLAB.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].
        parameters: From `fit`, or the authors'.
        colour: ``"grey"`` is what MATLAB scores; BasicSR's default is ``"y"``. That of ``parameters``.

    Returns:
        ``(N,)`` float64, lower for better images.

    Raises:
        ValueError: Fewer than two blocks of an image have texture; also see `niqe_features`.
    """
    return torch.stack([_distance(features, parameters) for features in niqe_features(images, colour)])


def niqe_features(images: Tensor, colour: Colour = "grey") -> Tensor:
    """The 18 statistics of each block at full size, then at half size.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].
        colour: See `natural_scene.grey`.

    Returns:
        ``(N, blocks, 36)`` float64, row by row of whole blocks of 96x96 pixels; NaN where a block has no texture.

    Raises:
        ValueError: The images have fewer than two whole blocks; also see `natural_scene.check_rgb`.
    """
    height, width = images.shape[-2:]
    if (height // BLOCK) * (width // BLOCK) < 2:
        raise ValueError(
            f"NIQE needs two whole blocks of {BLOCK}x{BLOCK} pixels, so images of at least {BLOCK}x{2 * BLOCK} or "
            f"{2 * BLOCK}x{BLOCK}, got {height}x{width}; score whole images or larger crops"
        )
    return per_image(_block_features, images, colour)


def fit(images: Iterable[Tensor], colour: Colour = "grey", sharpness: float = SHARPNESS) -> NiqeParameters:
    """Fits the model to the sharp blocks of pristine photographs.

    Args:
        images: Each ``(3, H, W)`` uint8 RGB, of any size from one block.
        colour: See `natural_scene.grey`; also that of the images to be scored.
        sharpness: Share of the sharpness of an image's sharpest block that a block must exceed.

    Raises:
        ValueError: Fewer than 37 blocks are sharp; also see `natural_scene.check_rgb`.
    """
    blocks = [_sharp_features(image, colour, sharpness) for image in images]
    features = torch.cat(blocks) if blocks else torch.zeros(0, NUM_FEATURES)
    if len(features) < MIN_BLOCKS:
        raise ValueError(
            f"a NIQE model of {NUM_FEATURES} features needs {MIN_BLOCKS} sharp blocks of {BLOCK}x{BLOCK} pixels, got "
            f"{len(features)} from {len(blocks)} images; give more or larger pristine images"
        )
    return NiqeParameters(features.mean(dim=0), features.T.cov())


def _distance(features: Tensor, parameters: NiqeParameters) -> Tensor:
    """Distance between two Gaussians: the model, and that of an image's blocks ``(blocks, 36)``."""
    defined = _without_undefined(features)
    if len(defined) < 2:
        raise ValueError(
            f"NIQE needs two blocks of {BLOCK}x{BLOCK} pixels with texture, got {len(defined)} of {len(features)}; "
            "leave flat images out, and say so, or find out why they are flat"
        )
    covariance = (parameters.covariance.to(defined.device) + defined.T.cov()) / 2
    difference = parameters.mean.to(defined.device) - defined.mean(dim=0)
    return (difference @ torch.linalg.pinv(covariance, hermitian=True) @ difference).sqrt()


def _sharp_features(image: Tensor, colour: Colour, sharpness: float) -> Tensor:
    """Features of the blocks whose local deviations are, on average, near those of the sharpest block."""
    images = image.unsqueeze(0)
    check_rgb(images)
    height, width = image.shape[-2:]
    if min(height, width) < BLOCK:
        raise ValueError(f"a pristine image needs at least {BLOCK}x{BLOCK} pixels, got {height}x{width}; leave it out")
    plane = _crop(grey(images, colour))
    deviation = _into_blocks(local_moments(plane, "replicate")[1][0], BLOCK).mean(dim=(-2, -1))
    is_sharp = deviation > sharpness * deviation.amax()
    return _without_undefined(_block_features(plane[0])[is_sharp])


def _block_features(plane: Tensor) -> Tensor:
    """``(H, W)`` to ``(blocks, 36)``."""
    plane = _crop(plane)
    scales = ((plane, BLOCK), (halve(plane), BLOCK // 2))
    maps = [_into_blocks(mscn(scale.unsqueeze(0), "replicate")[0], size) for scale, size in scales]
    return torch.cat([_statistics(blocks) for blocks in maps], dim=1)


def _statistics(blocks: Tensor) -> Tensor:
    """Asymmetric fits of the values in each block, then of their products with four neighbours: ``(blocks, 18)``."""
    neighbours = [blocks.roll(shift, dims=(1, 2)) for shift in NEIGHBOURS]
    found = fit_asymmetric(torch.stack([blocks, *(blocks * neighbour for neighbour in neighbours)], dim=1).flatten(2))
    scale = (found.inverse_gamma / found.triple_gamma).sqrt()
    left, right = found.left * scale, found.right * scale
    mean = (right - left) * found.double_gamma / found.inverse_gamma
    values = torch.stack([found.shape[:, 0], (left + right)[:, 0] / 2], dim=1)
    products = torch.stack([found.shape, mean, left, right], dim=2)[:, 1:]
    return torch.cat([values, products.flatten(1)], dim=1)


def _crop(plane: Tensor) -> Tensor:
    """Cuts what is no whole block, at the bottom and at the right."""
    height, width = (size // BLOCK * BLOCK for size in plane.shape[-2:])
    return plane[..., :height, :width]


def _into_blocks(plane: Tensor, size: int) -> Tensor:
    """``(H, W)`` to ``(blocks, size, size)``, row by row."""
    return plane.unfold(0, size, size).unfold(1, size, size).flatten(0, 1)


def _without_undefined(features: Tensor) -> Tensor:
    return features[~features.isnan().any(dim=1)]


def _is_our_window(window: np.ndarray) -> bool:
    return window.shape == (len(WINDOW),) * 2 and np.allclose(window, np.outer(WINDOW, WINDOW), atol=1e-6)


METRICS.register("niqe")(
    Metric(
        "NIQE",
        "niqe:grey",
        lambda images: niqe(images, find_parameters()),
        "Mittal et al.; on grey, as published MATLAB scores",
        is_full_reference=False,
        is_lower_better=True,
        parameters=lambda: find_parameters().sha256[:12],
    )
)
