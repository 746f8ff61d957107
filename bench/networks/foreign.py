"""Networks of other libraries, as teachers that are known by their output only."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.networks.base import Features, RestorationNetwork
from bench.networks.official import Architecture


class SpandrelNetwork(RestorationNetwork):
    """A restoration network that the library ``spandrel`` has recognised and built.

    Its levels are not known, so that it can teach by its output, not by its features. The output is clamped to [0, 1],
    and images are padded to the sizes that it takes, both by the library.

    Args:
        state: The state dict, as its training code wrote it.

    Raises:
        ValueError: ``spandrel`` is not installed or does not know the network, or it does not map RGB images to RGB
            images of the same size.
    """

    encoder_channels = ()
    decoder_channels = ()
    size_multiple = 1
    residual = True

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        try:
            from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
        except ModuleNotFoundError as error:
            raise ValueError(
                "this teacher needs the library spandrel: `python -m pip install -e '.[spandrel]'`"
            ) from error
        try:
            found = ModelLoader(torch.device("cpu")).load_from_state_dict(dict(state))
        except UnsupportedModelError as error:
            names = ", ".join(map(repr, list(state)[:3]))
            raise ValueError(f"spandrel knows no network with these tensors, the first being {names}") from error
        wanted = {"scale": 1, "input channels": 3, "output channels": 3}
        actual = {
            "scale": found.scale,
            "input channels": found.input_channels,
            "output channels": found.output_channels,
        }
        if not isinstance(found, ImageModelDescriptor) or actual != wanted:
            raise ValueError(
                f"expected a network from image to image with {wanted}, got {found.architecture.id} {actual}"
            )
        name = found.architecture.id
        self.architecture = Architecture(name, name.lower(), {})
        self.model = found.model
        self._run = found

    def forward_features(self, image: Tensor) -> Features:
        self.check_input(image)
        # spandrel runs in inference mode; the copy is a tensor that a student's loss may keep for its backward pass.
        return Features(self._run(image).clone(), (), ())
