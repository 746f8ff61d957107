"""The plain renderings that the benchmarks compare our networks with compute the same functions."""

import pytest
import torch

from bench.networks.base import NETWORKS
from tests.benchmarks.plain import PLAIN, plain

CASES = [
    ("drsformer", {}),
    ("nafnet", {}),
    ("restormer", {}),
    ("restormer", {"has_bias_free_norm": True}),
    ("uformer", {"decoder_blocks": (2, 2, 2, 2)}),  # the second block of a level is shifted
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join((case[0], *case[1])))
def networks(request):
    """One of our networks and its plain rendering. In double precision, since top-k attention is not continuous."""
    name, changes = request.param
    torch.manual_seed(0)
    ours = NETWORKS[name](**NETWORKS[name].sizes["micro"] | changes).double().to(memory_format=torch.channels_last)
    for parameter in ours.parameters():  # away from zero-initialised scales, so that every block acts
        parameter.data += 0.02 * torch.randn_like(parameter)
    return ours, plain(ours)


def test_features_and_gradients_are_the_same(networks):
    side = max(32, networks[0].size_multiple)
    image = torch.rand(2, 3, side, side, dtype=torch.double)
    ours, theirs = (network.forward_features(image) for network in networks)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    for features in (ours, theirs):
        features.restored.square().sum().backward()
    ours, theirs = ([parameter.grad for parameter in network.parameters()] for network in networks)
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)


def test_every_block_is_replaced_and_every_feature_laid_out_by_channel(networks):
    _, theirs = networks
    features = theirs.forward_features(torch.rand(2, 3, 64, 64, dtype=torch.double))
    assert all(feature.is_contiguous() for feature in (*features.encoder, *features.decoder))
    assert not any(type(module) in PLAIN for module in theirs.modules())
