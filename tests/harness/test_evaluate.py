import numpy as np
import pytest
import torch

from bench.datasets.pairs import PairedFolder
from bench.evaluate import Scores, restore, score
from bench.metrics.protocol import PROTOCOLS
from bench.networks.base import build_network


@pytest.fixture
def pairs(real_set):
    return PairedFolder(real_set / "test")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_degraded_images_score_themselves(pairs, name):
    scores = score(None, pairs, PROTOCOLS[name])
    assert list(scores.names) == ["img-0", "img-1"]
    assert scores.values.keys() == PROTOCOLS[name].metrics.keys()
    assert all(np.isfinite(value) for values in scores.values.values() for value in values)


def test_an_untrained_residual_network_is_scored_at_any_size(pairs):
    network = build_network("nafnet", "micro").train()
    torch.nn.init.zeros_(network.ending.weight)
    torch.nn.init.zeros_(network.ending.bias)
    protocol = PROTOCOLS["denoise_rgb"]
    assert score(network, pairs, protocol).values == score(None, pairs, protocol).values
    assert not network.training


def test_a_reconstruction_teacher_sees_the_clean_image(pairs):
    network = build_network("nafnet", "micro")
    torch.nn.init.zeros_(network.ending.weight)
    torch.nn.init.zeros_(network.ending.bias)
    scores = score(network, pairs, PROTOCOLS["denoise_rgb"], sees="clean")
    assert scores.values["psnr_db"] == [float("inf")] * 2
    with pytest.raises(ValueError, match="'img-0' is inf"):
        scores.means()


def test_restored_images_are_8_bit_and_of_the_same_size():
    image = torch.randint(0, 256, (2, 3, 19, 30), dtype=torch.uint8)
    restored = restore(build_network("restormer", "micro"), image)
    assert restored.dtype == torch.uint8 and restored.shape == image.shape


def test_means_are_over_images():
    assert Scores(["a", "b"], {"psnr_db": [20.0, 30.0]}).means() == {"psnr_db": 25.0}
