import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slkd.scale import LinearProbes, ScaleConversion


@pytest.fixture
def features():
    """Two levels of a batch of two images of 32x32 pixels."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, 4 * 2**level, 32 >> level, 32 >> level, generator=generator) for level in range(2))


@pytest.fixture
def target():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_levels_become_stacked_images_at_full_resolution():
    scale_conversion = ScaleConversion((4, 8, 16))
    features = tuple(torch.rand(2, 4 * 2**level, 32 >> level, 32 >> level) for level in range(3))
    images = scale_conversion(features)
    assert images.shape == (6, 3, 32, 32)
    # Level 1 holds 2x2 pixels per feature vector, in the order of a pixel shuffle.
    vector = features[1][1, :, 3, 5]
    expected = scale_conversion.projections[1](vector[None, :, None, None]).view(3, 2, 2)
    torch.testing.assert_close(images[3, :, 6:8, 10:12], expected)


def test_an_untrained_conversion_draws_no_grid():
    """All pixels of a feature vector start alike."""
    (image,) = ScaleConversion((4, 8))((torch.rand(1, 4, 32, 32), torch.rand(1, 8, 16, 16)))[1:]
    blocks = image.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))
    assert torch.equal(blocks, blocks[:, :, :1, :, :1].expand_as(blocks))


@pytest.fixture
def probes(features, target):
    made = LinearProbes((4, 8))
    made.fit(features, target)
    return made


def test_probes_recover_what_the_features_hold(features, probes):
    """Of an image that is linear in the features of level 1 nothing is missing."""
    target = torch.randn(12, 8)
    image = torch.nn.functional.pixel_shuffle(torch.einsum("oc,nchw->nohw", target, features[1]) + 0.5, 2)
    found = LinearProbes((4, 8))
    found.fit(features, image)
    torch.testing.assert_close(found(features)[2:], image, atol=1e-2, rtol=0)


def test_probes_are_the_least_squares_solution(features, target, probes):
    inputs = torch.cat([features[0], torch.ones(2, 1, 32, 32)], dim=1).movedim(1, -1).flatten(0, -2).double()
    expected = torch.linalg.lstsq(inputs, target.movedim(1, -1).flatten(0, -2).double()).solution
    torch.testing.assert_close(probes.weight0.mT.double(), expected, atol=1e-3, rtol=0)


@settings(max_examples=10, deadline=None)
@given(scale=st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 1e4]), num_channels=st.integers(1, 6))
def test_probes_are_finite_where_channels_are_dead_alike_or_huge(scale, num_channels):
    alike = scale * torch.rand(1, 1, 16, 16).expand(1, num_channels, 16, 16)
    probes = LinearProbes((num_channels,))
    probes.fit((alike,), torch.rand(1, 3, 16, 16))
    images = probes((alike,))
    assert images.isfinite().all() and images.abs().max() < 10


def test_probes_are_fit_in_full_precision_under_autocast(features, target, probes):
    cast = LinearProbes((4, 8))
    with torch.autocast("cpu", torch.bfloat16):
        cast.fit(features, target)
    assert torch.equal(cast.weight1, probes.weight1)


def test_probes_of_a_batch_that_was_seen_stay_as_they_are(features, target, probes):
    before = probes(features)
    probes.fit(features, target)
    assert torch.equal(probes(features), before)


def test_probes_follow_the_last_batches():
    """Features whose meaning changes: after some hundred batches nothing of the first is left."""
    first, last = torch.randn(2, 1, 3, 16, 16).unbind(0)
    target = torch.rand(1, 3, 16, 16)
    probes, fresh = LinearProbes((3,)), LinearProbes((3,))
    probes.fit((first,), target)
    for _ in range(500):
        probes.fit((last,), target)
    fresh.fit((last,), target)
    torch.testing.assert_close(probes((last,)), fresh((last,)), atol=1e-3, rtol=0)


def test_nothing_trains_the_probes(features, target, probes):
    probes.fit(tuple(feature.requires_grad_() for feature in features), target)
    assert not list(probes.parameters()) and not any(buffer.requires_grad for buffer in probes.buffers())


def test_the_state_of_probes_is_complete(features, target, probes):
    other = LinearProbes((4, 8))
    other.load_state_dict(probes.state_dict())
    assert torch.equal(other(features), probes(features))
    for each in (probes, other):
        each.fit(features, 1 - target)
    assert torch.equal(other(features), probes(features))
