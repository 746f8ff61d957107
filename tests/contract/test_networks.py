"""Every registered network keeps the promises of RestorationNetwork."""

import re

import pytest
import torch

from bench.conformance.rehearsal import place, rehearsal
from bench.determinism import nondeterministic_on_cuda
from bench.networks.base import NETWORKS, build_network
from bench.registry import UnknownNameError

SIZES = [(name, size) for name in NETWORKS for size in NETWORKS[name].sizes]
REDUCED = [(name, size) for name in NETWORKS for size in ("mini", "micro")]
"""The sizes that are run here; the full ones are built without memory for weights."""
DILATED = re.compile(r"experts\.[456]\.0\.weight")
"""DRSformer's dilated convolutions, whose gradient PyTorch gets wrong in bfloat16 on a CPU (see drsformer.py)."""


@pytest.fixture(params=REDUCED, ids="-".join)
def network(request):
    built = build_network(*request.param, seed=3).eval()
    for parameter in built.parameters():  # away from zero-initialised scales, so that every block acts
        generator = torch.Generator().manual_seed(parameter.numel())
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    return built


def test_name_is_the_file_name():
    for name, family in NETWORKS.items():
        assert family.__module__.rpartition(".")[2] == name


def test_features_have_the_promised_shapes(network):
    height, width = network.size_multiple, 3 * network.size_multiple
    image = torch.rand(2, 3, height, width)
    features = network.forward_features(image)
    assert features.restored.shape == image.shape
    for channels, maps in ((network.encoder_channels, features.encoder), (network.decoder_channels, features.decoder)):
        assert [tuple(m.shape) for m in maps] == [
            (2, c, height >> level, width >> level) for level, c in enumerate(channels)
        ]


def test_forward_is_bitwise_the_restored_features(network):
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(network(image), network.forward_features(image).restored)


def test_encode_is_bitwise_the_features_of_the_encoder(network):
    image = torch.rand(1, 3, 64, 64)
    levels = network.encode(image)
    assert all(map(torch.equal, levels, network.forward_features(image).encoder))
    assert len(levels) == len(network.encoder_channels)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (33, 47), (64, 64)])
def test_restore_takes_any_size(network, size):
    image = torch.rand(1, 3, *size)
    with torch.inference_mode():
        restored = network.restore(image)
    assert restored.shape == image.shape
    assert restored.min() >= 0 and restored.max() <= 1


def test_a_whole_image_and_its_batch_agree(network):
    images = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        together, alone = network(images), torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_layouts_agree(network):
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(
            network(image.contiguous(memory_format=torch.channels_last)), network(image), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("name", "size"), REDUCED)
def test_initial_weights_depend_on_the_seed_alone(name, size):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, again, other = (build_network(name, size, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_without_the_residual_the_input_is_not_added(name):
    with_residual, without = (build_network(name, "micro", residual=residual) for residual in (True, False))
    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(with_residual(image) - image, without(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(name):
    network = build_network(name, "micro")
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    network(torch.rand(1, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_bfloat16_autocast(network):
    image = torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        restored = network(image)
    restored.float().square().mean().backward()
    torch.testing.assert_close(restored.float(), network(image), rtol=0, atol=0.1)
    for name, parameter in network.named_parameters():
        if not DILATED.search(name):
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_a_black_image_gives_finite_gradients(network):
    network(torch.zeros(1, 3, 64, 64)).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_every_size_can_be_built(name, size):
    with torch.device("meta"):
        network = build_network(name, size)
    assert len(network.encoder_channels) > len(network.decoder_channels) > 0
    assert network.size_multiple % 2 ** (len(network.encoder_channels) - 1) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_the_student_is_more_than_80_percent_smaller_than_its_teacher(name):
    with torch.device("meta"):
        teacher, student = (build_network(name, size) for size in (next(iter(NETWORKS[name].sizes)), "sl"))
    count = {network: sum(p.numel() for p in network.parameters()) for network in (teacher, student)}
    assert count[student] < 0.2 * count[teacher]


@pytest.mark.parametrize("name", NETWORKS)
def test_releases_and_published_costs_are_of_known_sizes(name):
    assert set(NETWORKS[name].releases.values()) <= NETWORKS[name].sizes.keys()
    assert NETWORKS[name].published.keys() <= NETWORKS[name].sizes.keys()
    assert not NETWORKS[name].releases.keys() & NETWORKS[name].sizes.keys()


def test_images_that_are_not_rgb_are_refused(network):
    for image in (torch.rand(1, 4, 64, 64), torch.rand(1, 1, 64, 64), torch.rand(3, 64, 64)):
        with pytest.raises(ValueError, match=r"expected images \(N, 3, H, W\), got .*alpha"):
            network.restore(image)
    for dtype in (torch.uint8, torch.uint16):
        with pytest.raises(ValueError, match=f"got {dtype}; divide"):
            network.restore(torch.zeros(1, 3, 64, 64, dtype=dtype))


def test_sides_that_do_not_fit_are_refused(network):
    with pytest.raises(ValueError, match=f"multiples of {network.size_multiple}, got .*restore"):
        network(torch.rand(1, 3, network.size_multiple + 1, network.size_multiple))


def test_unknown_names_suggest_near_ones():
    with pytest.raises(UnknownNameError, match="'nafnet'"):
        build_network("nafnt", "mini")
    with pytest.raises(UnknownNameError, match="'micro'"):
        build_network("nafnet", "mirco")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_comes_again_on_cuda(name):
    """Operations without a deterministic version on CUDA are none of any family's."""
    network = build_network(name, "micro")
    image = torch.rand(1, 3, 64, 64)
    assert nondeterministic_on_cuda(lambda: network(image).sum().backward()) == ()


@pytest.mark.parametrize("name", NETWORKS)
def test_what_it_makes_by_itself_is_where_the_image_is(name):
    network, image = build_network(name, "micro"), torch.rand(1, 3, 64, 64)
    with rehearsal() as move:
        place(network, move)
        features = network.forward_features(move(image))
        assert {level.device.type for level in (features.restored, *features.levels)} == {"cuda"}
        assert network.restore(move(image[..., :61, :45])).device.type == "cuda"
