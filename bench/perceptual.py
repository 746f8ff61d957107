"""Perceptual features of a network that was trained for another task: those of VGG19's classifier of photographs.

A grid says by which features methods with a perceptual term compare images (``perceptual``): those of the removal
teacher's encoder, or these. The weights are never fetched: they are a file, and its digest is checked.
"""

import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.metrics.metric import WEIGHTS
from bench.networks.base import Features, RestorationNetwork

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
SHA256 = "dcbb9e9d"
"""How the digest of torchvision's file begins; it is part of the file's published name."""


class VGG19(RestorationNetwork):
    """The first convolution of each of VGG19's five levels, after its ReLU: relu1_1 to relu5_1.

    It restores nothing: its output is its input. Images are not normalised, as in the released contrastive losses.

    References:
        K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
    """

    encoder_channels = (64, 128, 256, 512, 512)
    decoder_channels = ()
    size_multiple = 16
    residual = False

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg19  # takes a second to import, and few need it

        layers = list(vgg19(weights=None).features)
        ends = [0, 2, 7, 12, 21, 30]
        self.levels = nn.ModuleList(nn.Sequential(*layers[start:end]) for start, end in itertools.pairwise(ends))

    def forward_features(self, image: Tensor) -> Features:
        self.check_input(image)
        levels: list[Tensor] = []
        for level in self.levels:
            levels.append(level(levels[-1] if levels else image))
        return Features(image, tuple(levels), ())


@dataclass(frozen=True)
class VGG19Weights:
    """The file of VGG19's weights, as torchvision distributes it.

    Attributes:
        path: The file.
        sha256: Its digest.
    """

    path: Path
    sha256: str

    @classmethod
    def find(cls, path: Path = WEIGHTS / "vgg19.pth") -> "VGG19Weights":
        """Looks for the weights.

        Raises:
            FileNotFoundError: They are not there.
            ValueError: The file is another one.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"`perceptual: vgg19` needs VGG19's weights: download {URL} to {path}, or choose `perceptual: teacher`"
            )
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if not sha256.startswith(SHA256):
            raise ValueError(f"{path}: sha256 {sha256[:12]} is not that of {URL}; download it again")
        return cls(path, sha256)

    @property
    def description(self) -> VGG19:
        """The network without memory for its weights."""
        with torch.device("meta"):
            return VGG19()

    def network(self) -> VGG19:
        """The network with its weights, in evaluation mode."""
        network = VGG19()
        weights = torch.load(self.path, map_location="cpu", weights_only=True)
        layers = nn.Sequential(*(layer for level in network.levels for layer in level.children()))
        layers.load_state_dict({name: weights[f"features.{name}"] for name in layers.state_dict()})
        return network.eval().to(memory_format=torch.channels_last)
