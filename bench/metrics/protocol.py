"""How a test set is scored: which metrics, on which colours, from which 8-bit images.

PSNR and SSIM stand for dozens of definitions that differ by more than the methods do. So a test set names a protocol,
and every number carries the signature of its definition, after M. Post, "A Call for Clarity in Reporting BLEU
Scores", WMT 2018. Numbers with different signatures are not comparable. The fields of a signature:

- the metric and what it sees: ``psnr:y``; ``range`` and ``y`` say how that colour is made; ``window`` and ``border``
  are SSIM's, with ``valid`` for the positions where the window fits;
- ``uint8``: how the network's output becomes 8-bit (`to_uint8`); ``crop``: pixels cut from each side before scoring;
- ``tile``: ``none`` where the image is restored as a whole, else the side of the tiles and their overlap;
- ``pad``: ``published`` for the padding of the network family's released test code (`RestorationNetwork.pad`). Which
  that is belongs to the network and not to the protocol: tables compare networks under one signature;
- ``agg``: scored per image, then averaged over images;
- the version of the implementation, which changes whenever a score would.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bench.config import Tiling
from bench.metrics.psnr import check_pair, psnr
from bench.metrics.ssim import ssim, ssim_volume
from bench.registry import UnknownNameError


class Metric(NamedTuple):
    """One definition of a full-reference metric.

    Attributes:
        signature: Says everything that the number depends on; see above.
        function: Maps restored and clean images, ``(N, 3, H, W)`` uint8, to ``(N,)`` float64.
    """

    signature: str
    function: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Protocol:
    """The metrics of a test set.

    Attributes:
        name: Its key in `PROTOCOLS`.
        description: One line for tables' captions.
        metrics: Metrics in the order of display; keys carry the unit, those without one are dimensionless.
    """

    name: str
    description: str
    metrics: Mapping[str, Metric]

    def signatures(self, tiling: Tiling | None = None) -> dict[str, str]:
        """The signature of every metric, for images that were restored as a whole or in tiles."""
        tile = f"|tile:{tiling.signature if tiling else 'none'}|"
        return {key: metric.signature.replace("|tile:none|", tile) for key, metric in self.metrics.items()}

    def score(self, restored: Tensor, clean: Tensor) -> dict[str, Tensor]:
        """Scores each image of a batch.

        Args:
            restored: ``(N, 3, H, W)`` uint8, from `to_uint8`.
            clean: The same shape and type.

        Returns:
            For every metric ``(N,)`` float64, independent of what else is in the batch.

        Raises:
            ValueError: The images differ in shape, are not uint8 RGB batches or are too small for a metric.
        """
        check_pair(restored, clean)
        if clean.shape[1] != 3:
            raise ValueError(
                f"expected RGB images (N, 3, H, W), got {tuple(clean.shape)}; repeat grey as three channels"
            )
        return {key: metric.function(restored, clean) for key, metric in self.metrics.items()}


def to_uint8(restored: Tensor) -> Tensor:
    """The 8-bit images that a network's output stands for: clamped to [0, 1], then 255 times it rounded half to even.

    In float32 whatever the precision of the network. Scores are of these images, as a reader of the files sees them.

    Raises:
        ValueError: The output is not floating-point, or holds NaN, which has no 8-bit value.
    """
    if not restored.is_floating_point():
        raise ValueError(
            f"expected a network's floating-point output in [0, 1], got {restored.dtype}; score 8-bit images as is"
        )
    if restored.isnan().any():
        raise ValueError("expected a network's output in [0, 1], got NaN; the network has diverged, do not score it")
    return restored.float().clamp(0, 1).mul(255).round().to(torch.uint8)


def luma(image: Tensor) -> Tensor:
    """Y of ITU-R BT.601 in studio range, rounded half up to 8 bits, as MATLAB's ``rgb2ycbcr`` of a uint8 image.

    ``Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255``, in integers, so that ties are exact.

    Args:
        image: ``(N, 3, H, W)`` uint8 RGB.

    Returns:
        ``(N, 1, H, W)`` uint8 in [16, 235].
    """
    red, green, blue = image.int().unbind(dim=1)
    scaled = 65481 * red + 128553 * green + 24966 * blue
    return (16 + (scaled + 127500) // 255000).to(torch.uint8).unsqueeze(1)


def _psnr_y(restored: Tensor, clean: Tensor) -> Tensor:
    return psnr(luma(restored), luma(clean))


def _ssim_y(restored: Tensor, clean: Tensor) -> Tensor:
    return ssim(luma(restored), luma(clean))


_Y = "y|range:bt601|y:uint8"
_VALID = "window:gauss11x11,1.5|border:valid"
_VOLUME = "window:gauss11x11x11,1.5|border:replicate"
_IMAGE = "uint8:round|crop:0|tile:none|pad:published|agg:image|v1"

PSNR_RGB = Metric(f"psnr:rgb|{_IMAGE}", psnr)
PSNR_Y = Metric(f"psnr:{_Y}|{_IMAGE}", _psnr_y)
SSIM_RGB = Metric(f"ssim:rgb|{_VALID}|{_IMAGE}", ssim)
SSIM_Y = Metric(f"ssim:{_Y}|{_VALID}|{_IMAGE}", _ssim_y)
SSIM_VOLUME = Metric(f"ssim:rgb_volume|{_VOLUME}|{_IMAGE}", ssim_volume)

_RGB = {"psnr_db": PSNR_RGB, "ssim": SSIM_RGB}

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("derain_y", "PSNR and SSIM of 8-bit BT.601 luma", {"psnr_db": PSNR_Y, "ssim": SSIM_Y}),
        Protocol(
            "deblur_rgb",
            "PSNR over RGB, SSIM as the mean of the channels and of the RGB volume",
            _RGB | {"ssim_volume": SSIM_VOLUME},
        ),
        Protocol("denoise_rgb", "PSNR over RGB, SSIM as the mean of the channels", _RGB),
        Protocol("dehaze_rgb", "PSNR over RGB, SSIM as the mean of the channels, at full size", _RGB),
    )
}


def get_protocol(name: str) -> Protocol:
    """Looks up a protocol.

    Raises:
        UnknownNameError: No such protocol; the message names the nearest ones.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
