"""How fast our networks are against plain eager renderings; tests/networks/test_plain.py says that these are equal."""

import pytest
import torch

from bench.networks.base import build_network
from tests.benchmarks.plain import plain
from tests.benchmarks.test_speed import interleaved

TARGETS = {"restormer": 1 / 1.2, "nafnet": 1 / 1.2, "drsformer": 1.0, "uformer": 1.0}


def forward(network, image):
    with torch.inference_mode():
        network(image)


def forward_and_backward(network, image):
    network(image).sum().backward()


@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize("run", [forward, forward_and_backward])
@pytest.mark.parametrize("name", TARGETS)
def test_network_against_its_plain_rendering(benchmark, ratios, name, run):
    ours = build_network(name, "sl")
    networks = {"ours": ours, "plain": plain(ours)}
    image = torch.rand(1, 3, 128, 128)

    def measure():
        times = interleaved({key: lambda n=network: run(n, image) for key, network in networks.items()}, rounds=7)
        return times["ours"] / times["plain"]

    label = run.__name__.replace("_", " ")
    ratios(f"{name} sl, {label}: ours / plain", benchmark.pedantic(measure), TARGETS[name])
