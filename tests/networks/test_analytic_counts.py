"""Parameters and MACs in closed form, from configurations alone, equal what is counted on the networks themselves."""

import pytest
import torch

from bench import complexity
from bench.networks.base import NETWORKS, build_network


class Tally:
    """Parameters, and the MACs of convolutions and matrix products."""

    def __init__(self):
        self.params = self.macs = 0

    def conv(self, pixels, inputs, outputs, kernel=1, groups=1, bias=False):
        """A convolution with so many output pixels; a linear layer has kernel 1."""
        weights = kernel**2 * inputs * outputs // groups
        self.params += weights + bias * outputs
        self.macs += pixels * weights

    def depthwise(self, pixels, channels, kernel, bias=False):
        self.conv(pixels, channels, channels, kernel, groups=channels, bias=bias)


def nafnet(tally, side, width, encoder_blocks, middle_blocks, decoder_blocks):
    depth = len(encoder_blocks)
    tally.conv(side**2, 3, width, 3, bias=True)
    tally.conv(side**2, width, 3, 3, bias=True)
    for level, count in enumerate((*encoder_blocks, middle_blocks)):
        nafnet_blocks(tally, (side >> level) ** 2, width << level, count + (*decoder_blocks[::-1], 0)[level])
    for level in range(depth):
        n, below = width << level, (side >> level + 1) ** 2
        tally.conv(below, n, 2 * n, 2, bias=True)  # down
        tally.conv(below, 2 * n, 4 * n)  # up, before the shuffle


def nafnet_blocks(tally, pixels, n, count):
    for _ in range(count):
        tally.params += 6 * n  # two norms, beta and gamma
        for outputs in (2 * n, n, 2 * n, n):
            tally.conv(pixels, n, outputs, bias=True)
        tally.depthwise(pixels, 2 * n, 3, bias=True)
        tally.conv(1, n, n, bias=True)  # channel attention


def restormer(tally, side, dim, num_blocks, num_refinement_blocks, num_heads):
    unet(tally, side, dim)
    for level, channels, count in stages(dim, num_blocks, num_refinement_blocks):
        for _ in range(count):
            transposed_attention(tally, (side >> level) ** 2, channels, num_heads[level])
            gated_feed_forward(tally, (side >> level) ** 2, channels)


def stages(dim, num_blocks, num_refinement_blocks=0):
    """(level, channels, blocks): the finest decoder level keeps both halves of its concatenation."""
    for level, count in enumerate(num_blocks):
        yield level, dim << level, count
    for level in (2, 1):
        yield level, dim << level, num_blocks[level]
    yield 0, 2 * dim, num_blocks[0] + num_refinement_blocks


def unet(tally, side, dim):
    tally.conv(side**2, 3, dim, 3)
    tally.conv(side**2, 2 * dim, 3, 3)
    for level in (0, 1, 2):
        n, here, below = dim << level, (side >> level) ** 2, (side >> level + 1) ** 2
        tally.conv(here, n, n // 2, 3)  # down, before the unshuffle
        tally.conv(below, 2 * n, 4 * n, 3)  # up, before the shuffle
        if level:
            tally.conv(here, 2 * n, n)  # the concatenation


def transposed_attention(tally, pixels, n, heads):
    tally.params += 2 * n + heads  # norm, temperatures
    tally.conv(pixels, n, 3 * n)
    tally.depthwise(pixels, 3 * n, 3)
    tally.macs += 2 * heads * pixels * (n // heads) ** 2  # query by key, attention by value
    tally.conv(pixels, n, n)


def gated_feed_forward(tally, pixels, n):
    hidden = int(n * 2.66)
    tally.params += 2 * n  # norm
    tally.conv(pixels, n, 2 * hidden)
    tally.depthwise(pixels, 2 * hidden, 3)
    tally.conv(pixels, hidden, n)


def drsformer(tally, side, dim, num_blocks, num_heads):
    unet(tally, side, dim)
    for level, channels, count in stages(dim, num_blocks):
        for _ in range(count):
            # The four sparse matrices are added before they meet the values: one product, as in Restormer.
            transposed_attention(tally, (side >> level) ** 2, channels, num_heads[level])
            tally.params += 4  # their shares
            mixed_scale_feed_forward(tally, (side >> level) ** 2, channels)
    for channels in (dim, 2 * dim):
        experts(tally, side**2, channels)


def mixed_scale_feed_forward(tally, pixels, n):
    hidden = int(n * 2.66)
    tally.params += 2 * n  # norm
    tally.conv(pixels, n, 2 * hidden)
    for kernel in (3, 5):
        tally.depthwise(pixels, 2 * hidden, kernel)
        tally.conv(pixels, 2 * hidden, hidden, kernel, groups=hidden)
    tally.conv(pixels, 2 * hidden, n)


def experts(tally, pixels, n):
    tally.conv(1, n, 64, bias=True)  # routing of four steps by eight experts
    tally.conv(1, 64, 32, bias=True)
    tally.conv(pixels, n, n)
    for _ in range(4):
        for kernel in (1, 3, 5, 7, 1, 3, 5, 7, 3, 5, 7):  # four separable experts, twice each; three dilated ones
            tally.depthwise(pixels, n, kernel)
            tally.conv(pixels, n, n)
        tally.conv(pixels, 8 * n, n)  # merge


def uformer(tally, side, dim, encoder_blocks, bottleneck_blocks, decoder_blocks, window=8):
    tally.conv(side**2, 3, dim, 3, bias=True)
    tally.conv(side**2, 2 * dim, 3, 3, bias=True)
    for level in range(5):
        n, count = dim << level, (*encoder_blocks, bottleneck_blocks)[level]
        window_blocks(tally, (side >> level) ** 2, n, 1 << level, count, window)
    for level in range(4):
        n, here, below = dim << level, (side >> level) ** 2, (side >> level + 1) ** 2
        tally.conv(below, n, 2 * n, 4, bias=True)  # down
        # Up, a transposed 2x2 convolution: from the bottleneck, or from a decoder level, twice as wide.
        tally.conv(below, 2 * n if level == 3 else 4 * n, n, 2)
        tally.params += n
        window_blocks(tally, here, 2 * n, 2 << level, decoder_blocks[3 - level], window)
        tally.params += decoder_blocks[3 - level] * window**2 * 2 * n  # modulators


def window_blocks(tally, pixels, n, heads, count, window):
    area = window**2
    for _ in range(count):
        tally.params += 4 * n + (2 * window - 1) ** 2 * heads  # norms, position bias
        for inputs, outputs in ((n, n), (n, 2 * n), (n, n), (n, 4 * n), (4 * n, n)):
            tally.conv(pixels, inputs, outputs, bias=True)
        tally.macs += 2 * pixels * area * n  # query by key, attention by value, within windows
        tally.depthwise(pixels, 4 * n, 3, bias=True)


FORMULAS = {"nafnet": nafnet, "restormer": restormer, "drsformer": drsformer, "uformer": uformer}


@pytest.mark.parametrize("size", ["mini", "micro", "sl"])
@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("side", [128, 256])
def test_counts_are_the_closed_form(name, size, side):
    expected = Tally()
    FORMULAS[name](expected, side, **NETWORKS[name].sizes[size])
    with torch.device("meta"):
        network = build_network(name, size)
    counts = complexity.count(network, side)
    assert counts.macs_complete == expected.macs
    assert counts.params == expected.params == sum(parameter.numel() for parameter in network.parameters())
