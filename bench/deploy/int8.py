"""Eight-bit ONNX files: smaller and less exact; whether they are faster is measured."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

FILE = "network.int8.onnx"
QUANTISED = ["Conv", "MatMul", "Gemm"]
"""What is computed in eight bits; sums, norms and soft-maxes stay as they are."""


def write(source: Path, path: Path, images: Iterable[Tensor]) -> None:
    """Quantises an ONNX file: weights by channel, activations by the ranges that they have on some images.

    Args:
        source: Of `bench.deploy.onnx`.
        path: The file to write.
        images: Degraded training images ``(N, 3, H, W)``, to measure the ranges on.
    """
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._images: Iterator[Tensor] = iter(images)

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            image = next(self._images, None)
            return None if image is None else {"image": image.contiguous().numpy()}

    prepared = path.with_suffix(".prepared")
    quantization.quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantization.quantize_static(
        prepared, path, Reader(), quant_format=quantization.QuantFormat.QDQ, op_types_to_quantize=QUANTISED,
        per_channel=True, activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip
    prepared.unlink()
