"""Edge distillation: an example of a method that is not part of the benchmark."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role
from bench.parts import in_parts


class EdgeKDConfig(MethodConfig):
    """Hyper-parameters of edge distillation.

    Attributes:
        edge_weight: Weight of the edge term.
    """

    edge_weight: float = Field(1.0, gt=0)


@METHODS.register("edge_kd")
class EdgeKD(Distiller):
    """The student's edges should be those of the image that the teacher restores.

    Edges are what degradations hide first, and a mean over pixels hardly counts them.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``edge``: mean absolute difference of the Sobel gradients of S and T, ``edge_weight`` times.
    """

    Config = EdgeKDConfig
    config: EdgeKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    control = "edge_kd"  # its edge term compares outputs, so that an oracle can take the teacher's place
    distances = ("edge",)
    reference = Reference(
        title="Edge distillation, an example",
        authors="",
        venue="",
        year=2026,
        url="",
    )

    @in_parts  # its terms are means over the images: with several ranks, each computes those of its own
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        restored, taught = self.student(lesson.degraded), lesson.teacher("removal").restored
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "edge": self.config.edge_weight * F.l1_loss(sobel(restored), sobel(taught)),
        }


def sobel(image: Tensor) -> Tensor:
    """Horizontal and vertical gradients of ``(N, C, H, W)`` images, as ``(N, 2 C, H - 2, W - 2)``."""
    horizontal = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=image.device, dtype=image.dtype) / 8
    kernels = torch.stack([horizontal, horizontal.T])[:, None].repeat(image.shape[1], 1, 1, 1)
    return F.conv2d(image, kernels, groups=image.shape[1])
