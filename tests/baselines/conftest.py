"""Networks, teachers and a lesson in miniature, and the golden values of loss terms."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.batch import Batch
from bench.distiller import Lesson

GOLDEN = Path(__file__).parents[1] / "golden" / "losses"


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


@pytest.fixture
def teachers(make_network):
    """A removal teacher, which is also what perceptual features come from, and a reconstruction teacher."""
    networks = {"removal": make_network(1, 8), "reconstruction": make_network(2, 8, residual=False)}
    for network in networks.values():
        network.eval().requires_grad_(False)
    return networks | {"perceptual": networks["removal"]}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 16, 16, generator=generator)
    return Batch(clean + 0.1 * torch.randn(clean.shape, generator=generator), clean)


@pytest.fixture
def lesson(teachers, batch):
    return Lesson(batch, teachers, step=0, seed=0, total_steps=100)


class GoldenCase:
    """What reference code gave on fixed tensors: inputs in float64, a value, and its gradients."""

    def __init__(self, name):
        self.about = json.loads((GOLDEN / "expected.json").read_text())[name]
        self.params = self.about["params"]
        self.arrays = np.load(GOLDEN / "tensors.npz")
        self._read = {}

    def tensor(self, key):
        """A tensor by its key; asked twice, it is the same."""
        if key not in self._read:
            self._read[key] = torch.from_numpy(self.arrays[key]).double().requires_grad_()
        return self._read[key]

    def __getitem__(self, role):
        """The input of a role: a tensor, or nested lists of them."""

        def read(keys):
            return self.tensor(keys) if isinstance(keys, str) else [read(key) for key in keys]

        return read(self.about["inputs"][role])

    def variant(self, name):
        return self.about["variants"][name]

    def check(self, value, variant, rtol=1e-5):
        """The value and its gradient at every input that the fixture has one for, relative to their size."""
        expected = self.variant(variant)
        assert value.item() == pytest.approx(expected["value"], rel=rtol)
        inputs = {key: self.tensor(key) for key in expected["grads"] if key in self._read}
        assert inputs, "no input of the fixture was used"
        gradients = torch.autograd.grad(value, list(inputs.values()), allow_unused=True)
        for (key, tensor), gradient in zip(inputs.items(), gradients, strict=True):
            name = expected["grads"][key]["array"]
            want = torch.zeros_like(tensor) if name is None else torch.from_numpy(self.arrays[name]).double()
            got = torch.zeros_like(tensor) if gradient is None else gradient
            assert (got - want).norm() <= rtol * want.norm() + 1e-7, key

    def extract(self, image):
        """The features of the fixture's fixed extractor, a stand-in for VGG19: levels of ReLU(conv), pooled between."""
        levels = []
        for level, (weight, bias) in enumerate(self["ext"]):
            x = image if level == 0 else F.max_pool2d(levels[-1], 2)
            levels.append(F.relu(F.conv2d(x, weight, bias, padding=1)))
        return tuple(levels)


@pytest.fixture
def golden():
    """Opens a case of tests/golden/losses by name."""
    return GoldenCase
