import itertools
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from bench.config import Tiling
from bench.datasets.items import Item
from bench.datasets.pairs import open_folder
from bench.evaluate import Scores, _spans, restore, score, score_items
from bench.metrics.protocol import PROTOCOLS, Protocol
from bench.networks.base import NETWORKS, Features, RestorationNetwork, build_network


@pytest.fixture
def pairs(real_set):
    return open_folder(real_set / "test")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_degraded_images_score_themselves(pairs, name):
    protocol = PROTOCOLS[name].available()
    scores = score(None, pairs, protocol)
    assert list(scores.names) == ["img-0", "img-1"]
    assert scores.values.keys() == protocol.metrics.keys()
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


def levels(*size):
    """Random images as a network sees those of files."""
    return torch.randint(0, 256, size).float() / 255


def test_restored_images_are_of_the_same_size():
    image = levels(2, 3, 19, 30)
    restored = restore(build_network("restormer", "micro"), image)
    assert restored.dtype == torch.float32 and restored.shape == image.shape


class Stub:
    """Test images that were never stored in 8 bits, or that have no clean version."""

    dataset, items = "stub", ()

    def __init__(self, degraded, clean):
        self.degraded, self.clean = degraded, clean

    def __len__(self):
        return 1

    def name(self, index):
        return "stub"

    def pair(self, index):
        return self.degraded, self.clean


def test_unclipped_noise_reaches_the_network_and_is_clipped_to_be_scored():
    class Same(Blur):
        def forward_features(self, image):
            seen.append(image.max().item())
            return Features(image, (image,), (image,))

    seen = []
    noisy = np.full((16, 16, 3), 1.5, np.float32)
    pairs = Stub(noisy, np.full((16, 16, 3), 250, np.uint8))
    for network in (None, Same()):
        scores = score(network, pairs, PROTOCOLS["denoise_rgb"])
        assert scores.values["psnr_db"] == pytest.approx([20 * np.log10(255 / 5)])
    assert seen == [1.5]


def test_images_without_a_clean_version_are_scored_by_metrics_that_need_none():
    rng = np.random.default_rng(0)
    pairs = Stub(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), None)
    protocol = PROTOCOLS["no_reference"].available()
    assert score(build_network("nafnet", "micro"), pairs, protocol).values["piqe"][0] > 0
    with pytest.raises(ValueError, match="this set has none"):
        score(None, pairs, PROTOCOLS["derain_y"])
    with pytest.raises(ValueError, match="no clean images, which a clean-image teacher is shown"):
        score(build_network("nafnet", "micro"), pairs, protocol, sees="clean")


def test_who_watches_sees_every_image_as_it_is_scored(pairs):
    seen = {}
    score(build_network("nafnet", "micro"), pairs, PROTOCOLS["derain_y"], watch=seen.__setitem__)
    assert list(seen) == ["img-0", "img-1"]
    assert all(image.dtype == torch.uint8 and image.shape == (1, 3, 35, 45) for image in seen.values())


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
    image = levels(2, 3, *size)
    whole, tiled = (restore(Blur(), image, tiling) for tiling in (None, Tiling(tile=64, overlap=32)))
    torch.testing.assert_close(whole, tiled, rtol=0, atol=1e-6)


def test_too_small_an_overlap_shows():
    """So that the test above can fail."""
    image = levels(1, 3, 128, 128)
    whole, tiled = (restore(Blur(), image, tiling) for tiling in (None, Tiling(tile=64, overlap=0)))
    assert (whole - tiled).abs().max() > 1e-3


def test_tiles_of_nafnet_with_local_means_make_the_whole():
    """Its published configuration for large images is local; means over the whole image are not."""
    network = NETWORKS["nafnet"](8, (1, 1, 1), 1, (1, 1, 1), local_patch=8)
    for name, parameter in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            torch.nn.init.constant_(parameter, 0.5)
    image = levels(1, 3, 300, 420)
    whole, tiled = (restore(network, image, tiling) for tiling in (None, Tiling(tile=256, overlap=192)))
    assert (whole - tiled).abs().max() < 1e-3
    assert (whole - image).abs().max() > 0.1


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
    image = levels(1, 3, 150, 200)
    tiled = restore(network, image, Tiling(tile=128, overlap=64))
    assert tiled.shape == image.shape and tiled.isfinite().all()


def test_tiles_that_do_not_fit_are_refused():
    image = torch.zeros(1, 3, 64, 64)
    for tile, overlap in ((60, 8), (64, 4), (32, 32)):
        with pytest.raises(ValueError, match=f"tile {tile} with overlap {overlap}: this network needs multiples of 8"):
            restore(build_network("nafnet", "micro"), image, Tiling(tile=tile, overlap=overlap))


def test_tiles_are_in_the_signature():
    whole, tiled = (PROTOCOLS["derain_y"].signatures(t) for t in (None, Tiling(tile=512, overlap=64)))
    assert "|tile:none|" in whole["psnr_db"]
    assert tiled["psnr_db"] == whole["psnr_db"].replace("tile:none", "tile:512,64")


def test_files_are_scored_in_order_and_few_are_in_memory_at_once(tmp_path):
    class Counted(np.ndarray):
        """Pixels that say when they are gone."""

        alive = most = 0

        def __new__(cls, level):
            with lock:
                Counted.alive += 1
                Counted.most = max(Counted.most, Counted.alive)
            return np.full((16, 16, 3), level, np.uint8).view(cls)

        def __del__(self):
            if self.base is not None:
                with lock:
                    Counted.alive -= 1

    class Made:
        path = tmp_path / "made.png"

        def __init__(self, level):
            self.level = level

        def read(self):
            return Counted(self.level)

    torch.set_num_threads(2)
    lock = threading.RLock()
    items = [Item(f"{k}", Made(100), Made(100 + k)) for k in range(1, 41)]
    protocol = Protocol("psnr", "", {"psnr_db": "psnr_rgb"})
    scores = score_items(items, protocol)
    assert list(scores.names) == [str(k) for k in range(1, 41)]
    assert scores.values["psnr_db"] == pytest.approx([20 * np.log10(255 / k) for k in range(1, 41)])
    assert 2 <= Counted.most <= 2 * torch.get_num_threads()
    assert torch.get_num_threads() == 2, "the caller keeps its threads"


def test_means_are_over_images():
    assert Scores(["a", "b"], {"psnr_db": [20.0, 30.0]}).means() == {"psnr_db": 25.0}
