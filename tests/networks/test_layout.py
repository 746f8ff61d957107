"""Channels-last tensors stay so: no convolution gets or gives another layout, and neither do the features."""

import pytest
import torch
from torch import nn

from bench.networks.base import NETWORKS, build_network


def is_channels_last(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", NETWORKS)
def test_layout_is_kept(name):
    network = build_network(name, "mini")
    seen = {}
    for part, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(lambda _, args, out, part=part: seen.update({part: (*args, out)}))
    image = torch.rand(2, 3, *[2 * network.size_multiple] * 2).contiguous(memory_format=torch.channels_last)
    restored, encoder, decoder = network.forward_features(image)
    assert all(map(is_channels_last, (restored, *encoder, *decoder)))
    assert seen and [part for part, tensors in seen.items() if not all(map(is_channels_last, tensors))] == []
