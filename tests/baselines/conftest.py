import pytest
import torch

from bench.batch import Batch
from bench.distiller import Lesson


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)  # these tensors are too small to share


@pytest.fixture
def teachers(make_network):
    return {"removal": make_network(1, 8)}


@pytest.fixture
def lesson(teachers):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 16, 16, generator=generator)
    degraded = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    return Lesson(Batch(degraded, clean), teachers, step=0)
