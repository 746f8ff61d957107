import pytest
import torch

from bench.batch import Batch
from bench.distiller import Lesson
from bench.networks.nafnet import NAFNet


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


def randomised(seed, width, depth=2):
    torch.manual_seed(seed)
    network = NAFNet(width, (1,) * depth, 1, (1,) * depth)
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
    return {"removal": randomised(1, 8)}


@pytest.fixture
def lesson(teachers):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 16, 16, generator=generator)
    degraded = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    return Lesson(Batch(degraded, clean), teachers, step=0, total_steps=10)
