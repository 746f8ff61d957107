"""FitNets: the student's features regress those of the teacher."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, unequal_levels
from bench.networks.base import RestorationNetwork
from bench.parts import in_parts


class FitNetConfig(MethodConfig):
    """Hyper-parameters of FitNets.

    Attributes:
        hint_weight: Weight of the hint term. The paper trains on hints alone first and so has none; 1 keeps the term
            and its gradient somewhat below those of the restoration term for the reduced NAFNet pair.
    """

    hint_weight: float = Field(1.0, gt=0)


@METHODS.register("fitnet")
class FitNet(Distiller):
    """The student's features, through a learned 1x1 convolution, should be those of the teacher at the same level.

    A wide teacher has features that a narrow student can predict but does not find by itself.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``hint``: ``MSE(r(F_S), F_T)``, r a 1x1 convolution per level, averaged over the levels of encoder and decoder,
      ``hint_weight`` times.
    """

    Config = FitNetConfig
    config: FitNetConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    reference = Reference(
        title="FitNets: Hints for Thin Deep Nets",
        authors="A. Romero, N. Ballas, S. E. Kahou, A. Chassang, C. Gatta, Y. Bengio",
        venue="ICLR",
        year=2015,
        url="https://arxiv.org/abs/1412.6550",
        code_url="https://github.com/adri-romsor/FitNets",
        deviations=(
            "One stage and all levels of encoder and decoder, where the paper first trains the lower half of the "
            "network on one hint and then all of it on labels. The regressor is linear, without the batch "
            "normalisation and ReLU of later classification code, which cannot match negative features."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: FitNetConfig
    ) -> None:
        super().__init__(student, teachers, config)
        pairs = zip(student.level_channels, teachers["removal"].level_channels, strict=True)
        self.regressors = nn.ModuleList(nn.Conv2d(ours, theirs, 1) for ours, theirs in pairs)

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, teacher = self.student.forward_features(lesson.degraded), lesson.teacher("removal")
        hint = hint_loss(self.regressors, student.levels, teacher.levels)
        return {
            "restoration": self.restoration_loss(student.restored, lesson.clean),
            "hint": self.config.hint_weight * hint,
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return unequal_levels(student, teachers, cls.teacher_roles)


def hint_loss(regressors: Iterable[nn.Module], student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> Tensor:
    """The mean squared difference of each regressed student feature from its teacher's, averaged over the levels.

    Args:
        regressors: One per level, from the student's to the teacher's channels.
        student: Features ``(N, C_i, H_i, W_i)``.
        teacher: Features ``(N, D_i, H_i, W_i)``.
    """
    levels = zip(regressors, student, teacher, strict=True)
    return torch.stack([F.mse_loss(regress(ours), theirs) for regress, ours, theirs in levels]).mean()
