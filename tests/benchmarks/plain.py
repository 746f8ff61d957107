"""Networks in the plain eager way: the same functions of the same parameters, written as public releases write them.

Images lie channel by channel in memory, tokens are rearranged for each step, and every formula is computed as it stands
in its paper. The benchmarks measure our blocks against these.
"""

import copy
import itertools
import math

import torch
import torch.nn.functional as F
from torch.autograd import Function

from bench.networks.base import Features
from bench.networks.drsformer import ExpertCompensator, ExpertLayer, MixedScaleFeedForward, TopKSparseAttention
from bench.networks.nafnet import NAFBlock
from bench.networks.norm import BiasFreeNorm, ChannelNorm
from bench.networks.restormer import GatedFeedForward, TransposedAttention
from bench.networks.uformer import LeWinBlock, LocallyEnhancedFeedForward, Uformer, WindowAttention


def plain(network):
    """A copy of one of our networks that computes the same the plain way, with parameters of its own."""
    network = copy.deepcopy(network)
    for module in network.modules():
        module.__class__ = PLAIN.get(type(module), type(module))
    for parameter in network.parameters():
        # The strides of a 1x1 kernel can mean both layouts, and convolutions go by them; a clone's mean this one.
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    return network


def to_tokens(image):
    """(B, C, H, W) to (B, HW, C)."""
    return image.flatten(2).transpose(1, 2)


def to_image(tokens, like):
    """(B, HW, C) to (B, C, H, W), of the size of another image."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[-2:])


def to_square(tokens):
    """(B, HW, C) to (B, C, H, W) with H = W, laid out anew."""
    side = math.isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).contiguous().unflatten(2, (side, side))


class PlainChannelNorm(ChannelNorm):
    def forward(self, x):
        tokens = to_tokens(x)
        mean = tokens.mean(-1, keepdim=True)
        variance = tokens.var(-1, keepdim=True, unbiased=False)
        return to_image((tokens - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias, x)


class PlainBiasFreeNorm(BiasFreeNorm):
    def forward(self, x):
        tokens = to_tokens(x)
        variance = tokens.var(-1, keepdim=True, unbiased=False)
        return to_image(tokens / torch.sqrt(variance + self.eps) * self.weight, x)


class PlainTransposedAttention(TransposedAttention):
    def forward(self, x):
        heads = (len(x), self.num_heads, -1, x.shape[2] * x.shape[3])
        query, key, value = (part.reshape(heads) for part in self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1))
        scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1) * self.temperature
        return self.project_out(self.mix(scores, value).reshape(x.shape))

    def mix(self, scores, value):
        return scores.softmax(dim=-1) @ value


class PlainTopKSparseAttention(PlainTransposedAttention, TopKSparseAttention):
    def mix(self, scores, value):
        mixed = 0
        for kept, share in zip(self.kept, self.shares, strict=True):
            mask = torch.zeros_like(scores).scatter(-1, scores.topk(kept, dim=-1).indices, 1)
            mixed = mixed + torch.where(mask > 0, scores, float("-inf")).softmax(dim=-1) @ value * share
        return mixed


class PlainGatedFeedForward(GatedFeedForward):
    def forward(self, x):
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class PlainMixedScaleFeedForward(MixedScaleFeedForward):
    def forward(self, x):
        x = self.project_in(x)
        fine1, fine2 = F.relu(self.dwconv3x3(x)).chunk(2, dim=1)
        coarse1, coarse2 = F.relu(self.dwconv5x5(x)).chunk(2, dim=1)
        first = F.relu(self.dwconv3x3_1(torch.cat([fine1, coarse1], dim=1)))
        second = F.relu(self.dwconv5x5_1(torch.cat([fine2, coarse2], dim=1)))
        return self.project_out(torch.cat([first, second], dim=1))


class PlainExpertLayer(ExpertLayer):
    def forward(self, x, routing):
        answers = [expert(x) * routing[:, index] for index, expert in enumerate(self.experts)]
        return F.relu(self.merge(torch.cat(answers, dim=1))) + x


class PlainExpertCompensator(ExpertCompensator):
    def forward(self, x):
        weights = self.routing(F.adaptive_avg_pool2d(x, 1).flatten(1))
        weights = weights.view(len(x), len(self.steps), -1, 1, 1, 1).softmax(dim=2)
        x = F.relu(self.project_in(x))
        for index, step in enumerate(self.steps):
            x = step(x, weights[:, index])
        return x


class NormOfMaps(Function):
    """Layer normalisation over the channels of maps, with its derivative written out, as NAFNet's release has it."""

    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        centred = x - x.mean(1, keepdim=True)
        deviation = (centred.pow(2).mean(1, keepdim=True) + eps).sqrt()
        normal = centred / deviation
        ctx.save_for_backward(normal, deviation, weight)
        return weight.view(1, -1, 1, 1) * normal + bias.view(1, -1, 1, 1)

    @staticmethod
    def backward(ctx, gradient):
        normal, deviation, weight = ctx.saved_tensors
        g = gradient * weight.view(1, -1, 1, 1)
        g = (g - normal * (g * normal).mean(1, keepdim=True) - g.mean(1, keepdim=True)) / deviation
        return g, (gradient * normal).sum((0, 2, 3)), gradient.sum((0, 2, 3)), None


class PlainNAFBlock(NAFBlock):
    def forward(self, x):
        y = self.gate(self.conv2(self.conv1(self.normalise(x, self.norm1))))
        x = x + self.conv3(y * self.sca(y)) * self.beta
        y = self.gate(self.conv4(self.normalise(x, self.norm2)))
        return x + self.conv5(y) * self.gamma

    def normalise(self, x, norm):
        return NormOfMaps.apply(x, norm.weight, norm.bias, norm.eps)

    def gate(self, x):
        first, second = x.chunk(2, dim=1)
        return first * second


class PlainUformer(Uformer):
    def forward_features(self, image):
        x, encoder, decoder = to_tokens(F.leaky_relu(self.input_proj(image))).contiguous(), [], []
        for stage, down in zip(self.encoder_levels, self.downs, strict=True):
            encoder.append(stage(x))
            x = to_tokens(down(to_square(encoder[-1]))).contiguous()
        encoder.append(x := self.bottleneck(x))
        for level in (3, 2, 1, 0):
            x = to_tokens(self.ups[level](to_square(x))).contiguous()
            x = self.decoder_levels[level](torch.cat([x, encoder[level]], dim=-1))
            decoder.insert(0, x)
        restored = self.output_proj(to_square(x)) + (image if self.residual else 0)
        return Features(restored, tuple(map(to_square, encoder)), tuple(map(to_square, decoder)))


class PlainLeWinBlock(LeWinBlock):
    def forward(self, x):
        side = math.isqrt(x.shape[1])
        y = self.norm1(x).view(len(x), side, side, -1)
        y = y.roll((-self.shift, -self.shift), dims=(1, 2)) if self.shift else y
        windows = self.partition(y)
        windows = windows if self.modulator is None else windows + self.modulator.weight
        windows = self.attn(windows, self.mask(x, side) if self.shift else None)
        y = windows.view(len(x), side // self.window, side // self.window, self.window, self.window, -1)
        y = y.permute(0, 1, 3, 2, 4, 5).contiguous().view(len(x), side, side, -1)
        y = y.roll((self.shift, self.shift), dims=(1, 2)) if self.shift else y
        x = x + y.view(x.shape)
        return x + self.ffn(self.norm2(x))

    def partition(self, x):
        """(B, H, W, C) to (windows of all images, pixels of a window, C)."""
        batch, height, width, channels = x.shape
        x = x.view(batch, height // self.window, self.window, width // self.window, self.window, channels)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, self.window**2, channels)

    def mask(self, like, side):
        """(windows of an image, pixels, pixels), -100 where the cyclic shift has brought two pixels together."""
        regions = torch.zeros(1, side, side, 1, dtype=like.dtype, device=like.device)
        bands = (slice(0, -self.window), slice(-self.window, -self.shift), slice(-self.shift, None))
        for number, (rows, columns) in enumerate(itertools.product(bands, bands)):
            regions[:, rows, columns] = number
        regions = self.partition(regions).squeeze(-1)
        difference = regions.unsqueeze(1) - regions.unsqueeze(2)
        return difference.masked_fill(difference != 0, -100.0)


class PlainWindowAttention(WindowAttention):
    def forward(self, windows, mask):
        count, pixels, channels = windows.shape
        query = self.query(windows).reshape(count, pixels, self.num_heads, -1).permute(0, 2, 1, 3)
        key, value = self.key_value(windows).reshape(count, pixels, 2, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        scores = query * (channels // self.num_heads) ** -0.5 @ key.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)].view(pixels, pixels, -1)
        scores = scores + bias.permute(2, 0, 1).contiguous()
        if mask is not None:
            scores = (scores.unflatten(0, (-1, len(mask))) + mask.unsqueeze(1)).flatten(0, 1)
        return self.proj((scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(count, pixels, channels))


class PlainLocallyEnhancedFeedForward(LocallyEnhancedFeedForward):
    def forward(self, x):
        return self.linear2(to_tokens(F.gelu(self.dwconv(to_square(F.gelu(self.linear1(x)))))))


PLAIN = {
    BiasFreeNorm: PlainBiasFreeNorm,
    ChannelNorm: PlainChannelNorm,
    ExpertCompensator: PlainExpertCompensator,
    ExpertLayer: PlainExpertLayer,
    GatedFeedForward: PlainGatedFeedForward,
    LeWinBlock: PlainLeWinBlock,
    LocallyEnhancedFeedForward: PlainLocallyEnhancedFeedForward,
    MixedScaleFeedForward: PlainMixedScaleFeedForward,
    NAFBlock: PlainNAFBlock,
    TopKSparseAttention: PlainTopKSparseAttention,
    TransposedAttention: PlainTransposedAttention,
    Uformer: PlainUformer,
    WindowAttention: PlainWindowAttention,
}
