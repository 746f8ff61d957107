import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from bench import complexity, latency
from bench.networks.base import NETWORKS, Features, RestorationNetwork, build_network
from bench.record import read_network
from bench.registry import UnknownNameError

COMMITTED = [
    path
    for folder in ("results/networks", "results/quick/networks")
    for path in sorted(Path(folder).glob("*.json"))
    if read_network(path).params_m < 10  # the full sizes are compared with the official ones
]


class OneConvolution(RestorationNetwork):
    """One 3x3 convolution without bias, and a matrix product that no module holds, on a device of its own choice."""

    size_multiple = 8

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1, bias=False)

    def forward_features(self, image):
        restored = self.convolution(image)
        return Features(restored @ torch.ones(image.shape[-1], image.shape[-1]), (), ())


class TwoConvolutions(RestorationNetwork):
    """6 to 8 channels and 8 to 6 at every pixel, with a rectifier between them that keeps or replaces its input."""

    in_channels = 6
    size_multiple = 1

    def __init__(self, is_inplace):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(6, 8, 1), nn.ReLU(is_inplace), nn.Conv2d(8, 6, 1, bias=False))

    def forward_features(self, image):
        return Features(self.layers(image), (), ())


def test_both_conventions_count_what_they_say(monkeypatch):
    monkeypatch.setattr(complexity, "build_network", lambda network, size: OneConvolution())
    record = complexity.measure("toy", "tiny", input_size=64)
    convolution, product = 64 * 64 * 3 * 3 * 9, 3 * 64 * 64 * 64
    assert record.params_m * 1e6 == 81
    assert record.macs_g * 1e9 == pytest.approx(convolution)
    assert record.macs_complete_g * 1e9 == pytest.approx(convolution + product)
    assert record.activations_m * 1e6 == 2 * 3 * 64 * 64
    assert record.weights_mb * 1e6 == 4 * 81
    assert record.measured is None


def test_an_image_has_the_channels_of_the_network():
    counts = complexity.count(TwoConvolutions(is_inplace=False), 10)
    assert counts.macs_complete == 100 * 2 * 6 * 8
    assert counts.activations == 100 * (8 + 6)
    assert counts.macs == counts.macs_complete + 100 * 8 + 100 * 8  # the bias; the rectifier, a module


@pytest.mark.parametrize(("is_inplace", "channels"), [(False, 6 + 8 + 8), (True, 6 + 8 + 6)])
@pytest.mark.parametrize("batch", [1, 2])
def test_peak_memory_is_that_of_the_tensors_alive_together(is_inplace, channels, batch):
    network = TwoConvolutions(is_inplace)
    weights = 4 * (2 * 6 * 8 + 8)
    expected = weights + batch * channels * 100 * 4
    assert [latency.peak_memory(network, torch.rand(batch, 6, 10, 10)) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_do_not_depend_on_the_day_nor_on_the_device(name):
    torch.set_num_threads(1)
    network = build_network(name, "micro")
    first, again = (complexity.count(network, 128) for _ in range(2))
    assert first == again == complexity._count(network, 128)


def test_measured_values_are_those_of_the_asked_passes(monkeypatch):
    monkeypatch.setattr(latency, "SECONDS", 0.0)
    torch.set_num_threads(1)
    one, two = (complexity.measure("nafnet", "micro", 64, batch) for batch in (1, 2))
    assert (one.activations_m, one.macs_complete_g) == (two.activations_m, two.macs_complete_g)
    images = [record.measured.peak_memory_mb - record.weights_mb for record in (one, two)]
    assert images[1] == pytest.approx(2 * images[0])
    for batch, measured in ((1, one.measured), (2, two.measured)):
        assert measured.latency_ms > 0 and measured.latency_iqr_ms >= 0 and math.isfinite(measured.latency_ms)
        assert (measured.batch, measured.num_runs) == (batch, latency.MIN_RUNS)
        assert measured.threads == 1 and measured.torch == torch.__version__ and measured.device


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("student", ["sl", "micro"])
def test_students_are_more_than_80_percent_smaller(name, student):
    """Those of the full size, which is listed first, and those of the embedded grid."""
    teacher = next(iter(NETWORKS[name].sizes)) if student == "sl" else "mini"
    with torch.device("meta"):
        large, small = (complexity.count(build_network(name, size), 128) for size in (teacher, student))
    for count in ("params", "macs", "macs_complete"):
        assert getattr(small, count) < 0.2 * getattr(large, count), count


def test_a_network_is_left_as_it_was():
    network = OneConvolution().train()
    complexity.count(network, 64)
    assert network.training and not network._forward_hooks and not network.convolution._forward_hooks
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("size", "message"),
    [(100, "multiple of 8; the nearest: 96 or 104"), (5, "nearest: 8$"), (0, "nearest: 8$"), (-8, "nearest: 8$")],
)
def test_an_input_that_does_not_fit_is_refused(size, message):
    with pytest.raises(ValueError, match=f"input size {size}: .*{message}"):
        complexity.measure("nafnet", "micro", input_size=size)


def test_presets_are_all_of_a_family_or_those_asked():
    assert complexity.presets(["uformer", "nafnet"], ["sl", "mini"]) == [
        ("uformer", "sl"), ("uformer", "mini"), ("nafnet", "sl"), ("nafnet", "mini")
    ]  # fmt: skip
    assert complexity.presets(["nafnet"]) == [("nafnet", size) for size in NETWORKS["nafnet"].sizes]
    with pytest.raises(UnknownNameError, match=r"size of network 'nafnet' 't': choose from .*mini"):
        complexity.presets(["uformer", "nafnet"], ["t"])
    with pytest.raises(UnknownNameError, match="unknown network 'nafnt': did you mean 'nafnet'"):
        complexity.presets(["nafnt"])


def test_records_are_counted_once_and_not_measured(tmp_path):
    network = build_network("nafnet", "micro")
    complexity.keep_record(tmp_path, "nafnet", "micro", lambda: network)
    path = complexity.record_path(tmp_path, "nafnet", "micro")
    record = read_network(path)
    assert record == complexity.measure("nafnet", "micro") and record.measured is None
    stamp = path.stat().st_mtime_ns
    complexity.keep_record(tmp_path, "nafnet", "micro", pytest.fail)
    assert path.stat().st_mtime_ns == stamp


def test_records_of_earlier_releases_are_read(tmp_path):
    old = {"kind": "network", "version": 1, "network": "nafnet", "size": "micro", "params_m": 0.1, "macs_g": 0.3,
           "macs_complete_g": 0.3, "input_size": 256}  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(old))
    record = read_network(tmp_path / "old.json")
    assert (record.activations_m, record.weights_mb, record.measured) == (None, None, None)
    (tmp_path / "old.json").write_text(json.dumps(old | {"activations_m": math.nan}))
    with pytest.raises(ValueError, match=r"old\.json: the file: .*not finite"):
        read_network(tmp_path / "old.json")


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_costs_are_those_of_the_networks_as_they_are(path):
    committed = read_network(path).model_dump(exclude={"measured"}, exclude_none=True)
    record = complexity.measure(committed["network"], committed["size"], committed["input_size"])
    assert record.model_dump(include=set(committed), exclude_none=True) == committed
