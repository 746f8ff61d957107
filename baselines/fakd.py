"""Feature affinity: positions of an image that are alike to the teacher are alike to the student."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, is_oracle, unequal_levels
from bench.features import pooled, precise
from bench.networks.base import Levels, RestorationNetwork
from bench.parts import in_parts


class FAKDConfig(MethodConfig):
    """Hyper-parameters of feature-affinity distillation.

    Attributes:
        output_share: Weight of the distance to the teacher's image; that to the clean image has what is left to 1. A
            half, ``--alpha 0.5`` in the released scripts.
        affinity_weight: Weight of the affinities: 10 in the released scripts (``10*SA``), whose images are in
            [0, 255]; in [0, 1] it is 10 / 255.
        largest_side: The longest side, in positions, at which affinities are taken, whose matrices have this to the
            power of 4 entries; larger levels are average-pooled. Ours, half the side of the release's crops, which it
            does not pool.
    """

    output_share: float = Field(0.5, gt=0, lt=1)
    affinity_weight: float = Field(10 / 255, gt=0)
    largest_side: int = Field(24, gt=0)


@METHODS.register("fakd")
class FAKD(Distiller):
    """The student imitates the teacher's image and how similar its features are between any two positions.

    Affinities tell the structure of an image, such as repeated texture, and compare networks of any width.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1 - ``output_share``.
    - ``output``: the same loss of the student's output and the removal teacher's output, weight ``output_share``.
    - ``affinity``: ``abs(A_S - A_T)``, A the cosines of the features at any two positions of a pooled level; mean over
      pairs and batch, summed over the levels of encoder and decoder, ``affinity_weight`` times.
    """

    Config = FAKDConfig
    config: FAKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    control = "fakd"
    distances = ("output", "affinity")
    reference = Reference(
        title="FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image Super-Resolution",
        authors="Z. He, T. Dai, J. Lu, Y. Jiang, S.-T. Xia",
        venue="ICIP",
        year=2020,
        url="https://doi.org/10.1109/ICIP40778.2020.9190917",
        code_url="https://github.com/Vincent-Hoo/Knowledge-Distillation-for-Super-resolution",
        deviations=(
            "Published with L1 for both images; here both use the restoration loss of the run. All levels of encoder "
            "and decoder, where the release takes three features of one resolution. Levels with a side above 24 are "
            "average-pooled first; the release has pooling as an option, and does not use it."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: FAKDConfig
    ) -> None:
        super().__init__(student, teachers, config)
        self.has_features = not is_oracle(teachers)

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, teacher = self.student.forward_features(lesson.degraded), lesson.teacher("removal")
        share = self.config.output_share
        terms = {
            "restoration": (1 - share) * self.restoration_loss(student.restored, lesson.clean),
            "output": share * self.restoration_loss(student.restored, teacher.restored),
        }
        if self.has_features:
            affinity = affinity_loss(student.levels, teacher.levels, self.config.largest_side)
            terms["affinity"] = self.config.affinity_weight * affinity
        return terms

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return None if is_oracle(teachers) else unequal_levels(student, teachers, cls.teacher_roles)


def affinity_loss(student: Levels, teacher: Levels, largest_side: int) -> Tensor:
    """The mean absolute difference of the affinities, summed over the levels.

    Args:
        student: Features ``(N, C_i, H_i, W_i)``.
        teacher: Features ``(N, D_i, H_i, W_i)``.
        largest_side: See `FAKDConfig`.

    References:
        Z. He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image Super-Resolution",
        ICIP 2020.
    """
    pairs = zip(student, teacher, strict=True)
    # Not F.l1_loss, which would keep both matrices for the gradient: their difference will do.
    differences = [affinities(ours, largest_side) - affinities(theirs, largest_side) for ours, theirs in pairs]
    return torch.stack([difference.abs().mean() for difference in differences]).sum()


def affinities(features: Tensor, largest_side: int) -> Tensor:
    """The cosines ``(N, n, n)`` between the features ``(N, C, H, W)`` at all n positions, `pooled`."""
    with torch.autocast(features.device.type, enabled=False):
        columns = pooled(precise(features), largest_side).flatten(2)
        columns = columns / (torch.linalg.vector_norm(columns, dim=1, keepdim=True) + 1e-8)
        return columns.mT @ columns
