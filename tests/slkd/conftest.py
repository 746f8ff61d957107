import pytest
import torch

from bench.batch import Batch
from bench.distiller import Lesson
from slkd import SLKD, SLKDConfig


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


@pytest.fixture
def teachers(make_network):
    return {"removal": make_network(1, 8), "reconstruction": make_network(2, 6, residual=False)}


@pytest.fixture
def make_slkd(make_network, teachers):
    """Makes a distiller; keyword arguments are its hyper-parameters."""

    def make(**changes):
        return SLKD(make_network(3, 4), teachers, SLKDConfig(**changes))

    return make


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 32, 32, generator=generator)
    return Batch(clean + 0.1 * torch.randn(clean.shape, generator=generator), clean)


@pytest.fixture
def lesson(teachers, batch):
    return Lesson(batch, teachers, step=0)
