"""BRISQUE: how far an image's natural scene statistics are from those of pristine photographs, without a reference.

Lower is better; the scale is that of human opinion scores, roughly 0 to 100. Undefined where a whole image is flat.

References:
    A. Mittal, A. K. Moorthy and A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE TIP
    21(12), 2012; its code, https://github.com/utlive/BRISQUE, has the constants.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.metrics.metric import METRICS, WEIGHTS, Metric, MetricUnavailableError
from bench.metrics.natural_scene import fit_asymmetric, fit_symmetric, halve, mscn, per_image

WEIGHTS_URL = "https://github.com/photosynthesis-team/piq/releases/download/v0.4.0/brisque_svm_weights.pt"

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))
NUM_FEATURES = 36
FLAT = 1e-6

GAMMA = 0.05
"""Of the radial basis functions, in ``allmodel`` of the code."""

BIAS = 153.591
"""Minus rho of the regression, in ``allmodel`` of the code."""

# fmt: off
FEATURE_RANGES = (
    (0.338, 10.0), (0.017204, 0.806612),
    (0.236, 1.642), (-0.123884, 0.20293), (0.000155, 0.712298), (0.001122, 0.470257),
    (0.244, 1.641), (-0.123586, 0.179083), (0.000152, 0.710456), (0.000975, 0.470984),
    (0.249, 1.555), (-0.135687, 0.100858), (0.000174, 0.684173), (0.000913, 0.534174),
    (0.258, 1.561), (-0.143408, 0.100486), (0.000179, 0.685696), (0.000888, 0.536508),
    (0.471, 3.264), (0.012809, 0.703171),
    (0.218, 1.046), (-0.094876, 0.187459), (1.5e-05, 0.442057), (0.001272, 0.40803),
    (0.222, 1.042), (-0.115772, 0.162604), (1.6e-05, 0.444362), (0.001374, 0.40243),
    (0.227, 0.996), (-0.117188, 0.098323), (3e-05, 0.531903), (0.001122, 0.369589),
    (0.228, 0.99), (-0.12243, 0.098658), (2.8e-05, 0.530092), (0.001118, 0.370399),
)
# fmt: on
"""Least and greatest value of each feature on the LIVE images of the training, in ``allrange`` of the code."""


@dataclass(frozen=True, eq=False)
class BrisqueWeights:
    """The support vector regression from features to opinion scores, trained by the authors on the LIVE database.

    Attributes:
        coefficients: ``(S,)`` float64.
        support_vectors: ``(S, 36)`` float64, of features in [-1, 1].
        sha256: Of the file.
    """

    coefficients: Tensor
    support_vectors: Tensor
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "BrisqueWeights":
        """Reads the file of weights that piq downloads: a pair of tensors, coefficients and support vectors.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged or holds something else.
        """
        content = path.read_bytes()
        try:
            pair = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises almost anything on a damaged file
            raise ValueError(
                f"{path}: damaged, or not a plain PyTorch file of tensors; delete it and download {WEIGHTS_URL} again"
            ) from error
        _check_weights(path, pair)
        coefficients, support_vectors = (tensor.detach().double() for tensor in pair)
        return cls(coefficients.flatten(), support_vectors, hashlib.sha256(content).hexdigest())


def find_weights() -> BrisqueWeights:
    """Reads the weights from ``weights/brisque.pt``, else from where piq keeps its download.

    Nothing is downloaded.

    Raises:
        MetricUnavailableError: Neither file is there.
        ValueError: The file is damaged or holds something else.
    """
    places = WEIGHTS / "brisque.pt", Path(torch.hub.get_dir(), "checkpoints", WEIGHTS_URL.rpartition("/")[2])
    for path in places:
        if path.is_file():
            return _read_once(path, path.stat().st_mtime_ns)
    raise MetricUnavailableError(
        f"BRISQUE needs the weights of its regression, which are neither at {places[0]} nor at {places[1]}; download "
        f"{WEIGHTS_URL} to one of them"
    )


@lru_cache(maxsize=2)
def _read_once(path: Path, changed_at: int) -> BrisqueWeights:
    return BrisqueWeights.read(path)


def brisque(images: Tensor, weights: BrisqueWeights) -> Tensor:
    """BRISQUE of each image.

    Half an odd size is rounded up, as by MATLAB, but not by piq. Unreliable where `flat_fraction` is not about zero.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].
        weights: From `find_weights`.

    Returns:
        ``(N,)`` float64, lower for better images.

    Raises:
        ValueError: See `brisque_features`.
    """
    return torch.stack([_score(features, weights) for features in brisque_features(images)])


def brisque_features(images: Tensor) -> Tensor:
    """The 18 statistics of each image at full size, then at half size.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].

    Returns:
        ``(N, 36)`` float64.

    Raises:
        ValueError: A statistic is undefined: a flat image, or one that is constant along rows or columns. Also see
            `natural_scene.check_rgb`.
    """
    features = per_image(_two_scales, images)
    is_undefined = features.isnan().any(dim=1)
    if is_undefined.any():
        raise ValueError(
            f"flat image at index {is_undefined.nonzero().flatten().tolist()} of the batch: constant, or constant "
            "along rows or columns, it has no BRISQUE; leave it out, and say so, or find out why it is flat"
        )
    return features


def flat_fraction(images: Tensor) -> Tensor:
    """Share of pixels whose neighbourhood is flat: saturated, or lost to quantisation.

    Implementations disagree on them. Where it exceeds about 1e-5, scores differ between them by 0.1 to 10.

    Args:
        images: ``(N, 3, H, W)`` RGB, uint8 or floats in [0, 255].

    Returns:
        ``(N,)`` float64.

    Raises:
        ValueError: See `natural_scene.check_rgb`.
    """
    return per_image(lambda grey: (mscn(grey.unsqueeze(0), "zeros").abs() < FLAT).double().mean(), images)


def _two_scales(grey: Tensor) -> Tensor:
    return torch.cat([_statistics(mscn(scale.unsqueeze(0), "zeros")[0]) for scale in (grey, halve(grey))])


def _statistics(normalised: Tensor) -> Tensor:
    """Shape and variance of an MSCN map, then the asymmetric fits of its products with four neighbours."""
    neighbours = [normalised.roll(shift, dims=(0, 1)) for shift in NEIGHBOURS]
    fit = fit_asymmetric(torch.stack([(normalised * neighbour).flatten() for neighbour in neighbours]))
    mean = (fit.right - fit.left) * fit.double_gamma / (fit.inverse_gamma * fit.triple_gamma).sqrt()
    products = torch.stack([fit.shape, mean, fit.left.square(), fit.right.square()], dim=1)
    return torch.cat([torch.stack(fit_symmetric(normalised.flatten())), products.flatten()])


def _score(features: Tensor, weights: BrisqueWeights) -> Tensor:
    low, high = features.new_tensor(FEATURE_RANGES).unbind(dim=1)
    scaled = 2 * (features - low) / (high - low) - 1
    distances = (scaled - weights.support_vectors.to(scaled.device)).square().sum(dim=1)
    return (weights.coefficients.to(scaled.device) * (-GAMMA * distances).exp()).sum() + BIAS


def _check_weights(path: Path, pair: Any) -> None:
    problem = _describe_problem(pair)
    if problem:
        raise ValueError(
            f"{path}: expected a pair of tensors, coefficients (S,) and support vectors (S, {NUM_FEATURES}), got "
            f"{problem}; give the file of {WEIGHTS_URL}"
        )


def _describe_problem(pair: Any) -> str | None:
    if not isinstance(pair, tuple | list) or not all(isinstance(tensor, Tensor) for tensor in pair):
        return f"a {type(pair).__name__}"
    shapes = [tuple(tensor.shape) for tensor in pair]
    count = pair[0].numel() if pair else 0
    if not count or shapes not in ([columns, (count, NUM_FEATURES)] for columns in ((count,), (count, 1))):
        return f"shapes {shapes}"
    return None if all(tensor.isfinite().all() for tensor in pair) else "values that are not finite"


METRICS.register("brisque")(
    Metric(
        "BRISQUE",
        "brisque:grey|half:ceil",
        lambda images: brisque(images, find_weights()),
        "Mittal et al.; MATLAB's size of the second scale",
        is_full_reference=False,
        is_lower_better=True,
        parameters=lambda: find_weights().sha256[:12],
    )
)
