"""Layer normalisation of each pixel over its channels, as restoration networks use it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer normalisation of each pixel over its channels, on ``(N, C, H, W)`` in channels-last memory."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        # A channels-last tensor is already (N, H, W, C) in memory, so both permutations are free.
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, eps=self.eps)
        return x.permute(0, 3, 1, 2)


class BiasFreeNorm(nn.Module):
    """Divides each pixel by the standard deviation of its channels, without centring them and without a bias."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        variance = x.var(dim=1, keepdim=True, correction=0)
        return x * (variance + self.eps).rsqrt() * self.weight.view(-1, 1, 1)
