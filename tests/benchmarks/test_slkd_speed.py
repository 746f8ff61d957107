"""What SLKD adds to a step - scale conversion, extractors, KL - forward and backward, and how much memory it takes."""

import pytest
import torch
from torch import nn

from bench.batch import Batch
from bench.distiller import Lesson
from bench.networks.base import Features, build_network
from slkd import SLKD, SLKDConfig
from tests.benchmarks.test_speed import interleaved
from tests.slkd.test_extractors import share_of_memory


class Answered(nn.Module):
    """A student that has run already, so that a step of it is SLKD's extra work alone."""

    def __init__(self, features):
        super().__init__()
        restored, *levels = features
        leaves = [tuple(feature.requires_grad_() for feature in level) for level in levels]
        self.features = Features(restored.requires_grad_(), *leaves)

    def forward_features(self, image):
        return self.features


def share_of_a_step(name, sizes, shape, rounds):
    """Seconds of SLKD's extra work over those of its step, the forward passes of both teachers included.

    Timed by itself: as the difference of two steps it would be lost in their noise.
    """
    roles = ("removal", "reconstruction")
    teachers = {role: build_network(name, sizes[0], residual=role == "removal") for role in roles}
    teachers = {role: network.eval().requires_grad_(False) for role, network in teachers.items()}
    student = build_network(name, sizes[1])
    slkd = SLKD(student, teachers, SLKDConfig()).to(memory_format=torch.channels_last)
    clean = torch.rand(shape).contiguous(memory_format=torch.channels_last)
    batch = Batch((clean + 0.1 * torch.randn_like(clean)).clamp(0, 1), clean)
    answered = Lesson(batch, teachers, step=0)
    with torch.no_grad():
        slkd.student = Answered(student.forward_features(batch.degraded))

    def teach(lesson):
        for role in roles:
            lesson.teacher(role)

    def learn():
        slkd.restoration_loss(student(batch.degraded), batch.clean).backward()

    def distil():
        torch.stack(list(slkd(answered).values())).sum().backward()

    teach(answered)
    functions = {"teach": lambda: teach(Lesson(batch, teachers, step=0)), "learn": learn, "distil": distil}
    times = interleaved(functions, rounds, warmups=1)
    return times["distil"] / sum(times.values())


@pytest.mark.benchmark(group="ratios")
def test_extra_work_of_the_full_size_pair(benchmark, ratios):
    share = benchmark.pedantic(share_of_a_step, ("restormer", ("base", "sl"), (1, 3, 128, 128), 3))
    ratios("SLKD's extra work / its step, restormer base -> sl", share, 0.08)


@pytest.mark.benchmark(group="ratios")
def test_extra_work_of_the_embedded_pair(benchmark, ratios):
    share = benchmark.pedantic(share_of_a_step, ("nafnet", ("mini", "micro"), (8, 3, 64, 64), 15))
    ratios("SLKD's extra work / its step, nafnet mini -> micro", share, 0.4)


@pytest.mark.benchmark(group="ratios")
def test_memory_of_the_full_size_pair(benchmark, ratios):
    share = benchmark.pedantic(share_of_memory, (128,))
    ratios("memory of SLKD's extra work / of the student, restormer sl", share, 0.25)
