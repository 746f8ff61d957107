"""Pictures of what SLKD compares: scale-converted images, and the maps that its extractors make of them."""

from collections.abc import Mapping

from torch import Tensor

from bench.distiller import Panels
from slkd import brisque, piqe

Images = Mapping[str, Tensor]
"""By whose they are, the scale-converted images of every level, ``(levels, 3, H, W)``."""


def scale_converted(images: Images) -> dict[str, Panels]:
    """The figure of the images themselves."""
    caption = (
        "Each level's features, turned into images by the scale conversion modules and clipped to [0, 1]. Those of the "
        "teachers are linear probes of what they restore: what they show, the level knows. Those of the student are "
        "compared with them."
    )
    return {"scm": Panels(caption, dict(images))}


def statistics(images: Images) -> dict[str, Panels]:
    """The figures of the statistics that are compared."""
    structure = {name: brisque.extract(image).structure[0] for name, image in images.items()}
    blocks = {name: piqe.extract(image) for name, image in images.items()}
    edge = {name: block.edge.mean(dim=(3, 5)) for name, block in blocks.items()}
    return {
        "mscn": Panels(
            "MSCN coefficients of the SCM images, mean over the channels. L_NC compares those of the encoders: streaks "
            "and grain that only the student's have are degradations that it has not learned to remove.",
            {name: _mean(maps) for name, maps in structure.items()},
        ),
        "texture": Panels(
            "PIQE's variance of active blocks of the SCM images, mean over the channels. L_ET compares those of the "
            "decoders: student and teacher B should be bright in the same places.",
            {name: _enlarged(_mean(block.texture), images[name]) for name, block in blocks.items()},
        ),
        "edge": Panels(
            "Deviation along the edges of PIQE's blocks, mean over segments and channels. L_ET compares those of the "
            "decoders, segment by segment: a block that is darker than teacher B's is too smooth.",
            {name: _enlarged(_mean(maps), images[name]) for name, maps in edge.items()},
        ),
    }


def _mean(maps: Tensor) -> Tensor:
    return maps.mean(dim=1, keepdim=True)


def _enlarged(blocks: Tensor, image: Tensor) -> Tensor:
    """The blocks of an image, each as large as it is there."""
    side = min(piqe.BLOCK_SIZE, *image.shape[-2:])
    return blocks.repeat_interleave(side, dim=-2).repeat_interleave(side, dim=-1)
