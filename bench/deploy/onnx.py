"""ONNX: for ONNX Runtime and what else reads it, with any number of images of any height and width."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.deploy.graph import Graph, Restore, example
from bench.networks.base import RestorationNetwork

for chatty in ("onnx_ir", "onnxscript"):  # which tell of every constant that they merge or cannot
    logging.getLogger(chatty).setLevel(logging.WARNING)
FILE = "network.onnx"
RUNTIME = "ONNX Runtime"


def write(network: RestorationNetwork, path: Path, about: Mapping[str, str]) -> None:
    """Writes a network as an ONNX file that takes ``image`` and gives ``restored``, ``(N, 3, H, W)`` in [0, 1].

    Args:
        network: In evaluation mode.
        path: The file.
        about: Kept in it as metadata.
    """
    import onnx

    sizes = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        Graph(network).eval(), (example(network),), dynamo=True, dynamic_shapes={"image": sizes}, input_names=["image"],
        output_names=["restored"], verbose=False,
    )  # fmt: skip
    assert program is not None  # it is None only where a file is named
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        part.ClearField("metadata_props")  # where in whose code each node comes from, as large as the weights
        part.ClearField("doc_string")
    onnx.helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def load(path: Path, threads: int) -> Restore:
    """Opens a file in ONNX Runtime on the CPU."""
    session = _session(path, threads)

    def restore(image: Tensor) -> Tensor:
        (restored,) = session.run(None, {"image": image.contiguous().numpy()})
        return torch.from_numpy(restored)

    return restore


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
