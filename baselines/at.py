"""Attention transfer: the student's features are large where those of the teacher are."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, unequal_levels
from bench.features import precise
from bench.networks.base import Levels, RestorationNetwork
from bench.parts import in_parts


class ATConfig(MethodConfig):
    """Hyper-parameters of attention transfer.

    Attributes:
        attention_weight: The constant of the paper's beta: 10^3, which is divided by the positions of each map and by
            the batch size; ``--beta`` of the released code, whose means divide by both.
        distance: ``norm``, as in Eq. 2, which halves beta; ``squared``, as in the released code, which does not, and
            in the collections of methods (RepDistiller, mdistiller) that later papers compare with.
    """

    attention_weight: float = Field(1000.0, gt=0)
    distance: Literal["norm", "squared"] = "norm"


@METHODS.register("at")
class AT(Distiller):
    """The student should attend to the same places as the teacher: where the energy of its features is high.

    Where a restoration network is active tells where it found the degradation, and needs no equal numbers of channels.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``attention``: ``norm(Q_S - Q_T)``, Q the channels' mean square, divided by its norm; mean over the batch, divided
      by the positions of the level, summed over the levels of encoder and decoder, half of ``attention_weight`` times.
    """

    Config = ATConfig
    config: ATConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    distances = ("attention",)
    reference = Reference(
        title=(
            "Paying More Attention to Attention: Improving the Performance of Convolutional Neural Networks via "
            "Attention Transfer"
        ),
        authors="S. Zagoruyko, N. Komodakis",
        venue="ICLR",
        year=2017,
        url="https://arxiv.org/abs/1612.03928",
        code_url="https://github.com/szagoruyko/attention-transfer",
        deviations=(
            "All levels of encoder and decoder of a restoration network, where the paper takes the last layer of each "
            "group of a classifier, and the restoration loss of the run in place of the cross-entropy. The distance is "
            "the norm of Eq. 2; the released code has the square of that norm, without Eq. 2's factor of a half, which "
            "is an option. Only activation-based attention."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, teacher = self.student.forward_features(lesson.degraded), lesson.teacher("removal")
        if self.config.distance == "squared":
            attention = self.config.attention_weight * mean_squares(student.levels, teacher.levels)
        else:
            attention = self.config.attention_weight / 2 * mean_norms(student.levels, teacher.levels)
        return {
            "restoration": self.restoration_loss(student.restored, lesson.clean),
            "attention": attention,
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return unequal_levels(student, teachers, cls.teacher_roles)


def attention_map(features: Tensor) -> Tensor:
    """Where features ``(N, C, H, W)`` are large: their mean square over channels, ``(N, H * W)``, divided by its norm.

    Features that are zero everywhere have a map of zeros.
    """
    return F.normalize(precise(features).square().mean(dim=1).flatten(1))


def norms(student: Tensor, teacher: Tensor) -> Tensor:
    """The distance of the attention maps of one level: the norm of their difference, ``(N,)``, with gradient 0 at 0.

    Args:
        student: Features ``(N, C, H, W)``.
        teacher: Features ``(N, D, H, W)``.
    """
    return torch.linalg.vector_norm(attention_map(student) - attention_map(teacher), dim=1)


def mean_norms(student: Levels, teacher: Levels) -> Tensor:
    """The paper's sum over the levels: `norms`, mean over the batch, divided by the positions of the level."""
    pairs = zip(student, teacher, strict=True)
    return torch.stack([norms(ours, theirs).mean() / ours[0, 0].numel() for ours, theirs in pairs]).sum()


def mean_squares(student: Levels, teacher: Levels) -> Tensor:
    """The released code's sum over the levels: the mean squared difference of the attention maps."""
    pairs = zip(student, teacher, strict=True)
    return torch.stack([F.mse_loss(attention_map(ours), attention_map(theirs)) for ours, theirs in pairs]).sum()
