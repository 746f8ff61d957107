"""What a file restores, to be scored as a network is."""

from torch import Tensor

from bench.deploy.graph import Restore
from bench.networks.base import RestorationNetwork


class RuntimeNetwork(RestorationNetwork):
    """A network that another runtime computes; known by its output only.

    Args:
        restore: Restores images of any size.
    """

    encoder_channels = decoder_channels = ()
    size_multiple = 1

    def __init__(self, restore: Restore) -> None:
        super().__init__()
        self._restore = restore

    def restore(self, image: Tensor) -> Tensor:
        return self._restore(image)
