import pytest
import torch

from bench.batch import Batch
from bench.distiller import Lesson
from bench.networks.nafnet import NAFNet
from slkd import SLKD, SLKDConfig


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


def randomised(seed, width, residual=True, depth=2):
    torch.manual_seed(seed)
    network = NAFNet(width, (1,) * depth, 1, (1,) * depth, residual=residual)
    for name, parameter in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.fixture
def make_network():
    """Makes a small NAFNet with random block scales: these start at zero, where most of the network is idle."""
    return randomised


@pytest.fixture
def teachers():
    return {"removal": randomised(1, 8), "reconstruction": randomised(2, 6, residual=False)}


@pytest.fixture
def make_slkd(teachers):
    """Makes a distiller; keyword arguments are its hyper-parameters."""

    def make(**changes):
        return SLKD(randomised(3, 4), teachers, SLKDConfig(**changes))

    return make


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 32, 32, generator=generator)
    return Batch(clean + 0.1 * torch.randn(clean.shape, generator=generator), clean)


@pytest.fixture
def lesson(teachers, batch):
    return Lesson(batch, teachers, step=0, total_steps=10)
