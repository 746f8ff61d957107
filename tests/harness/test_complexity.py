from pathlib import Path

import pytest
import torch
from torch import nn

from bench import complexity
from bench.networks.base import NETWORKS, Features, RestorationNetwork
from bench.record import read_network


class OneConvolution(RestorationNetwork):
    """One 3x3 convolution without bias, and a matrix product that no module holds."""

    size_multiple = 8

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1, bias=False)

    def forward_features(self, image):
        restored = self.convolution(image)
        return Features(restored @ torch.ones(image.shape[-1], image.shape[-1]), (), ())


def test_both_conventions_count_what_they_say(monkeypatch):
    monkeypatch.setattr(complexity, "build_network", lambda network, size: OneConvolution())
    record = complexity.measure("toy", "tiny", input_size=64)
    convolution, product = 64 * 64 * 3 * 3 * 9, 3 * 64 * 64 * 64
    assert record.params_m * 1e6 == 81
    assert record.macs_g * 1e9 == pytest.approx(convolution)
    assert record.macs_complete_g * 1e9 == pytest.approx(convolution + product)


@pytest.mark.parametrize("name", NETWORKS)
def test_students_are_more_than_80_percent_smaller(name):
    teacher, student = (complexity.measure(name, size, input_size=64) for size in ("mini", "micro"))
    for count in ("params_m", "macs_g", "macs_complete_g"):
        assert getattr(student, count) < 0.2 * getattr(teacher, count), count


def test_a_network_is_left_as_it_was(monkeypatch):
    network = OneConvolution().train()
    monkeypatch.setattr(complexity, "build_network", lambda name, size: network)
    complexity.measure("toy", "tiny", input_size=64)
    assert not network._forward_hooks and not network.convolution._forward_hooks
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_an_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        complexity.measure("nafnet", "micro", input_size=100)


def test_records_are_written_once_unless_asked_again(tmp_path):
    sizes = [("nafnet", "micro")]
    (first,) = complexity.write_records(sizes, tmp_path)
    path = tmp_path / "networks" / "nafnet_micro.json"
    stamp = path.stat().st_mtime_ns
    assert complexity.write_records(sizes, tmp_path) == [first]
    assert path.stat().st_mtime_ns == stamp
    assert complexity.write_records(sizes, tmp_path, again=True) == [first]
    assert path.stat().st_mtime_ns > stamp


@pytest.mark.parametrize("path", sorted(Path("results").glob("quick/networks/*.json")), ids=lambda path: path.stem)
def test_committed_costs_are_those_of_the_networks_as_they_are(path):
    record = read_network(path)
    assert complexity.measure(record.network, record.size, record.input_size) == record
