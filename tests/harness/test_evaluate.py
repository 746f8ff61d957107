import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from bench.config import Tiling
from bench.datasets.pairs import open_folder
from bench.evaluate import Scores, _spans, restore, score
from bench.metrics.protocol import PROTOCOLS
from bench.networks.base import NETWORKS, Features, RestorationNetwork, build_network


@pytest.fixture
def pairs(real_set):
    return open_folder(real_set / "test")


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


class Blur(RestorationNetwork):
    """Sees 12 pixels to each side, at half the resolution too, and nothing beyond: convolutions and no mean."""

    encoder_channels = decoder_channels = (3,)
    size_multiple = 4

    def forward_features(self, image):
        fine = F.avg_pool2d(image, 9, stride=1, padding=4)
        coarse = F.avg_pool2d(F.avg_pool2d(image, 4), 3, stride=1, padding=1)
        return Features((fine + F.interpolate(coarse, scale_factor=4)) / 2, (image,), (image,))


@pytest.mark.parametrize("size", [(96, 128), (97, 131), (40, 250), (20, 20), (65, 64)])
def test_tiles_of_a_convolutional_network_make_the_whole(size):
    image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    whole, tiled = (restore(Blur(), image, tiling) for tiling in (None, Tiling(tile=64, overlap=32)))
    assert torch.equal(whole, tiled)


def test_too_small_an_overlap_shows():
    """So that the test above can fail."""
    image = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8)
    whole, tiled = (restore(Blur(), image, tiling) for tiling in (None, Tiling(tile=64, overlap=0)))
    assert not torch.equal(whole, tiled)


def test_tiles_of_nafnet_with_local_means_make_the_whole():
    """Its published configuration for large images is local; means over the whole image are not."""
    network = NETWORKS["nafnet"](8, (1, 1, 1), 1, (1, 1, 1), local_patch=8)
    for name, parameter in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            torch.nn.init.constant_(parameter, 0.5)
    image = torch.randint(0, 256, (1, 3, 300, 420), dtype=torch.uint8)
    whole, tiled = (restore(network, image, tiling).int() for tiling in (None, Tiling(tile=256, overlap=192)))
    difference = (whole - tiled).abs()
    assert difference.max() <= 1  # a value on the edge between two levels
    assert difference.float().mean() < 1e-3
    assert not torch.equal(whole, image.int())


@given(st.integers(1, 5000), st.sampled_from([1, 8, 16, 128]), st.integers(1, 8), st.data())
def test_tiles_cover_a_side_exactly_once_on_the_grid_of_the_network(length, multiple, size, data):
    tiling = Tiling(tile=size * multiple, overlap=data.draw(st.integers(0, size - 1)) * multiple)
    spans = _spans(length, tiling, multiple)
    assert [position for span in spans for position in range(length)[span.kept]] == list(range(length))
    for span in spans:
        assert span.tile.start % multiple == 0 and span.tile.stop - span.tile.start <= tiling.tile
        assert span.tile.start <= span.kept.start <= span.kept.stop <= span.tile.stop
    for left, right in itertools.pairwise(spans):  # each side of a seam sees half of the overlap
        assert left.tile.stop - right.tile.start >= tiling.overlap


@pytest.mark.parametrize("name", NETWORKS)
def test_every_family_restores_in_tiles(name):
    network = build_network(name, "micro")
    image = torch.randint(0, 256, (1, 3, 150, 200), dtype=torch.uint8)
    tiled = restore(network, image, Tiling(tile=128, overlap=64))
    assert tiled.shape == image.shape and tiled.dtype == torch.uint8


def test_tiles_that_do_not_fit_are_refused():
    image = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    for tile, overlap in ((60, 8), (64, 4), (32, 32)):
        with pytest.raises(ValueError, match=f"tile {tile} with overlap {overlap}: this network needs multiples of 8"):
            restore(build_network("nafnet", "micro"), image, Tiling(tile=tile, overlap=overlap))


def test_tiles_are_in_the_signature():
    whole, tiled = (PROTOCOLS["derain_y"].signatures(t) for t in (None, Tiling(tile=512, overlap=64)))
    assert "|tile:none|" in whole["psnr_db"]
    assert tiled["psnr_db"] == whole["psnr_db"].replace("tile:none", "tile:512,64")


def test_means_are_over_images():
    assert Scores(["a", "b"], {"psnr_db": [20.0, 30.0]}).means() == {"psnr_db": 25.0}
