"""What a metric is: one definition of an image-quality measure, with its name and signature."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from bench.registry import Registry

FullReference = Callable[[Tensor, Tensor], Tensor]
NoReference = Callable[[Tensor], Tensor]


WEIGHTS = Path("weights")
"""Where files of fitted parameters are looked for: ``weights/brisque.pt``, ``weights/niqe.npz``."""


class MetricUnavailableError(RuntimeError):
    """A file that a metric needs is not there."""


@dataclass(frozen=True)
class Metric:
    """One definition of a measure of image quality.

    Attributes:
        title: As in a table's header.
        definition: Its fields of the signature: everything that the number depends on beside the images.
        function: Maps restored and clean images, or restored ones alone, ``(N, 3, H, W)`` as `check_images` accepts
            them, to ``(N,)`` float64; each independent of the rest of the batch.
        source: Whose definition it is.
        is_full_reference: Whether the clean image is needed.
        is_lower_better: Whether a smaller number means a better image.
        parameters: Identifies the file of fitted parameters that it needs, for the signature; raises
            `MetricUnavailableError` where that is missing. None if it needs no file.
    """

    title: str
    definition: str
    function: FullReference | NoReference
    source: str
    is_full_reference: bool = True
    is_lower_better: bool = False
    parameters: Callable[[], str] | None = None

    def signature(self) -> str:
        """The definition, with the digest of the parameters.

        Raises:
            MetricUnavailableError: The file of the parameters is missing.
        """
        return f"{self.definition}|params:{self.parameters()}" if self.parameters else self.definition

    def __call__(self, restored: Tensor, clean: Tensor | None) -> Tensor:
        """Scores each image of a batch.

        Raises:
            ValueError: The metric needs clean images and there are none.
        """
        if not self.is_full_reference:
            return self.function(restored)  # type: ignore[call-arg]
        if clean is None:
            raise ValueError(f"{self.title} compares with the clean image, and this set has none; use no_reference")
        return self.function(restored, clean)  # type: ignore[call-arg]


METRICS: Registry[Metric] = Registry("metric", "slkd_bench.metrics")
