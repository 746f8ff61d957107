"""How a test set is scored: which metrics, of which 8-bit images.

PSNR and SSIM stand for dozens of definitions that differ by more than the methods do. So a test set names a protocol,
and every number carries the signature of its definition, after M. Post, "A Call for Clarity in Reporting BLEU
Scores", WMT 2018. Numbers with different signatures are not comparable; `bench.metrics.signature` has the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from bench.config import Tiling
from bench.metrics.levels import Rounding, cropped, to_levels
from bench.metrics.metric import METRICS, Metric, MetricUnavailableError
from bench.registry import UnknownNameError


@dataclass(frozen=True)
class Protocol:
    """How the images of a test set are scored.

    Attributes:
        name: Its key in `PROTOCOLS`.
        description: One line for tables' captions.
        metrics: Registered metrics by the key of their scores, in the order of display; keys carry the unit, those
            without one are dimensionless.
        rounding: How a network's output becomes the image that is scored.
        border: Pixels that are cut from every side before scoring.
    """

    name: str
    description: str
    metrics: Mapping[str, str]
    rounding: Rounding = "round"
    border: int = 0

    def metric(self, key: str) -> Metric:
        """The metric behind a key."""
        return METRICS[self.metrics[key]]

    @property
    def needs_clean(self) -> bool:
        """Whether a metric compares with the clean image."""
        return any(self.metric(key).is_full_reference for key in self.metrics)

    def unavailable(self) -> dict[str, str]:
        """The metrics that cannot be computed here, by key, and why."""
        reasons = {}
        for key in self.metrics:
            try:
                self.metric(key).signature()
            except MetricUnavailableError as error:
                reasons[key] = str(error)
        return reasons

    def available(self) -> "Protocol":
        """The protocol without the metrics that cannot be computed here."""
        missing = self.unavailable()
        return replace(self, metrics={key: name for key, name in self.metrics.items() if key not in missing})

    def signatures(self, tiling: Tiling | None = None) -> dict[str, str]:
        """The signature of every metric for a network's output, restored as a whole or in tiles.

        Raises:
            MetricUnavailableError: A metric's parameters are missing.
        """
        tile = tiling.signature if tiling else "none"
        return self._signatures(f"uint8:{self.rounding}|crop:{self.border}|tile:{tile}|pad:published|agg:image|v1")

    def file_signatures(self) -> dict[str, str]:
        """The signature of every metric for image files, of which nobody knows how they were rounded.

        Raises:
            MetricUnavailableError: A metric's parameters are missing.
        """
        return self._signatures(f"uint8:file|crop:{self.border}|agg:image|v1")

    def _signatures(self, image: str) -> dict[str, str]:
        return {key: f"{self.metric(key).signature()}|{image}" for key in self.metrics}

    def levels(self, restored: Tensor) -> Tensor:
        """The image that a network's output stands for; see `to_levels`."""
        return to_levels(restored, self.rounding)

    def score(self, restored: Tensor, clean: Tensor | None) -> dict[str, Tensor]:
        """Scores each image of a batch.

        Args:
            restored: ``(N, 3, H, W)``, from `levels` or from files.
            clean: uint8 of the same shape; None where there is none.

        Returns:
            For every metric ``(N,)`` float64, independent of what else is in the batch.

        Raises:
            ValueError: The images differ in shape, are no RGB batches, are too small for a metric, or a metric needs
                clean images and there are none.
            MetricUnavailableError: A metric's parameters are missing.
        """
        if restored.ndim != 4 or restored.shape[1] != 3:
            raise ValueError(
                f"expected RGB images (N, 3, H, W), got {tuple(restored.shape)}; repeat grey as three channels"
            )
        if self.border:
            restored = cropped(restored, self.border)
            clean = clean if clean is None else cropped(clean, self.border)
        return {key: self.metric(key)(restored, clean) for key in self.metrics}


_RGB = {"psnr_db": "psnr_rgb", "ssim": "ssim_rgb"}
_UNTRAINED = {"gmsd": "gmsd"}
"""A full-reference measure that no method trains on, beside those that a loss can please."""

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "derain_y",
            "PSNR and SSIM of 8-bit BT.601 luma, GMSD",
            {"psnr_db": "psnr_y", "ssim": "ssim_y", **_UNTRAINED},
        ),
        Protocol(
            "deblur_rgb",
            "PSNR over RGB, SSIM as the mean of the channels and of the RGB volume, GMSD",
            {**_RGB, "ssim_volume": "ssim_volume", **_UNTRAINED},
        ),
        Protocol("denoise_rgb", "PSNR over RGB, SSIM as the mean of the channels, GMSD", {**_RGB, **_UNTRAINED}),
        Protocol(
            "dehaze_rgb",
            "PSNR over RGB, SSIM as the mean of the channels, GMSD, at full size",
            {**_RGB, **_UNTRAINED},
        ),
        Protocol(
            "sidd_matlab",
            "PSNR over RGB and SSIM of the RGB volume, clamped but not rounded: Restormer's script for SIDD",
            {"psnr_db": "psnr_rgb", "ssim_volume": "ssim_volume"},
            rounding="none",
        ),
        Protocol(
            "realblur",
            "PSNR and SSIM over RGB after a brightness gain, without the released script's homography",
            {"psnr_db": "psnr_gain", "ssim": "ssim_gain"},
        ),
        Protocol(
            "no_reference",
            "BRISQUE, PIQE and NIQE, which need no clean image",
            {"brisque": "brisque", "piqe": "piqe", "niqe": "niqe"},
        ),
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
