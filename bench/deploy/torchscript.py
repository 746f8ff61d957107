"""TorchScript: for LibTorch, in C++ or in Python without this benchmark."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch

from bench.deploy.graph import Graph, Restore, example
from bench.networks.base import RestorationNetwork

FILE = "network.torchscript.pt"
RUNTIME = "TorchScript"


def write(network: RestorationNetwork, path: Path, about: Mapping[str, str]) -> None:
    """Writes a network as a traced TorchScript module; arguments and form of the images as in `bench.deploy.onnx`."""
    with warnings.catch_warnings(), torch.no_grad():
        # Which say that sides may become constants, which `largest_difference` looks at; and that there is a successor.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(Graph(network).eval(), (example(network),), check_trace=False)
        torch.jit.save(traced, path, _extra_files={"about.json": json.dumps(dict(about))})


def load(path: Path, threads: int) -> Restore:
    """Opens a file in PyTorch, with the threads that PyTorch has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cast(Restore, torch.jit.load(path))
