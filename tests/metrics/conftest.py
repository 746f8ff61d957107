"""Image pairs with known scores; their origin is in ``tests/golden/README.md``."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

GOLDEN = Path(__file__).parents[1] / "golden"


class GoldenPair(NamedTuple):
    restored: Tensor
    clean: Tensor
    expected: dict[str, float]


def _to_batch(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0)


def _pair(name: str) -> GoldenPair:
    expected = json.loads((GOLDEN / "metrics.json").read_text())["pairs"][name]["expected"]
    with np.load(GOLDEN / "metrics.npz") as images:
        return GoldenPair(_to_batch(images[f"{name}_restored"]), _to_batch(images[f"{name}_clean"]), expected)


@pytest.fixture(autouse=True)
def one_thread(two_threads: None) -> None:
    """On images this small, threads only wait for one another: many times longer when the machine is busy."""
    torch.set_num_threads(1)


@pytest.fixture(params=["a", "b", "c", "f"])
def golden_pair(request: pytest.FixtureRequest) -> GoldenPair:
    return _pair(request.param)


@pytest.fixture
def golden_output() -> GoldenPair:
    """A network's float output, some of it outside [0, 1], with its clean image and scores after `to_uint8`."""
    expected = json.loads((GOLDEN / "metrics.json").read_text())["float_output_of_c"]
    with np.load(GOLDEN / "metrics.npz") as images:
        return GoldenPair(_to_batch(images["c_float"]), _to_batch(images["c_clean"]), expected)
