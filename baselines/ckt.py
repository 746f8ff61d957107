"""CKT: first the student learns what the teacher knows, then the clean images examine it."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bench.contrast import contrast, each_image
from bench.distiller import (
    METHODS,
    Distiller,
    Lesson,
    MethodConfig,
    Reference,
    Role,
    is_oracle,
    no_perception,
    unequal_levels,
)
from bench.networks.base import Features, RestorationNetwork
from bench.parts import in_parts


class CKTConfig(MethodConfig):
    """Hyper-parameters of collaborative knowledge transfer.

    Attributes:
        collation_share: The first part of the training, in which the teacher is asked. A half: 125 of 250 epochs in
            the released code.
        projection_weight: Of the distance in the common space. 1 in the released code.
        inversion_weight: Of what the projection loses of the teacher's features. 0.05 in the released code.
        soft_weight: Of the contrastive term while the teacher is asked. 0.1 in the released code.
        hard_weight: Of the contrastive term afterwards. 0.2 in the released code.
    """

    collation_share: float = Field(0.5, gt=0, lt=1)
    projection_weight: float = Field(1.0, gt=0)
    inversion_weight: float = Field(0.05, gt=0)
    soft_weight: float = Field(0.1, gt=0)
    hard_weight: float = Field(0.2, gt=0)


@METHODS.register("ckt")
class CKT(Distiller):
    """First the student imitates the teacher in image and projected features, then the clean images alone teach.

    In a common space that both learn, the student need not match what is the teacher's own; the second part of the
    training rids it of the teacher's errors.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1 in the second stage
      and 0 in the first, the first half of the training (``collation_share``).
    - ``output``: the same loss of the student's output and the removal teacher's output, weight 1 in the first stage.
    - ``projection``: ``abs(P_S(F_S) - P_T(F_T))``, P two 3x3 convolutions per network and level, summed over the levels
      of encoder and decoder, ``projection_weight`` times in the first stage.
    - ``inversion``: ``abs(R(P_T(F_T)) - F_T)``, R as P, summed alike, ``inversion_weight`` times in the first stage.
    - ``contrast``: ``sum_l w_l |v_l(S) - v_l(y)| / |v_l(S) - v_l(x)|``, v the perceptual features, y the clean and x
      the degraded image, ``soft_weight`` times; in the second stage with the mean over all degraded images of the
      batch in the denominator, ``hard_weight`` times.
    """

    Config = CKTConfig
    config: CKTConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal", "perceptual")
    control = "ckt"
    distances = ("output",)
    reference = Reference(
        title=(
            "Learning Multiple Adverse Weather Removal via Two-stage Knowledge Learning and Multi-contrastive "
            "Regularization: Toward a Unified Model"
        ),
        authors="W.-T. Chen, Z.-K. Huang, C.-C. Tsai, H.-H. Yang, J.-J. Ding, S.-Y. Kuo",
        venue="CVPR",
        year=2022,
        url=(
            "https://openaccess.thecvf.com/content/CVPR2022/papers/Chen_Learning_Multiple_Adverse_Weather_Removal_via_"
            "Two-Stage_Knowledge_Learning_and_CVPR_2022_paper.pdf"
        ),
        code_url="https://github.com/fingerk28/Two-stage-Knowledge-For-Multiple-Adverse-Weather-Removal",
        deviations=(
            "One teacher, where the reference has one for each kind of weather and a student of the teachers' size. "
            "All levels of encoder and decoder, where the release takes four features of equal widths; the common "
            "space has half the teacher's channels, as there. Perceptual features are those of the run, published "
            "ones are of VGG19. Published with L1 for both images; here both use the restoration loss of the run. As "
            "released, the projection of the teacher's features is trained by the projection term, too, and the "
            "student's optimiser and learning rate go on from the first stage to the second."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: CKTConfig
    ) -> None:
        super().__init__(student, teachers, config)
        self.has_features = not is_oracle(teachers)
        if self.has_features:
            pairs = list(zip(student.level_channels, teachers["removal"].level_channels, strict=True))
            self.student_projectors = nn.ModuleList(projector(ours, theirs // 2) for ours, theirs in pairs)
            self.teacher_projectors = nn.ModuleList(projector(theirs, theirs // 2) for _, theirs in pairs)
            self.inverse_projectors = nn.ModuleList(projector(theirs // 2, theirs) for _, theirs in pairs)

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student = self.student.forward_features(lesson.degraded)
        if lesson.progress < self.config.collation_share:
            return self._collate(student, lesson)
        return self._examine(student.restored, lesson)

    def _collate(self, student: Features, lesson: Lesson) -> dict[str, Tensor]:
        """The terms of the first stage."""
        teacher = lesson.teacher("removal")
        terms = {
            "restoration": torch.zeros((), device=lesson.clean.device),
            "output": self.restoration_loss(student.restored, teacher.restored),
        }
        if self.has_features:
            modules = zip(self.student_projectors, self.teacher_projectors, self.inverse_projectors, strict=True)
            levels = zip(modules, student.levels, teacher.levels, strict=True)
            losses = torch.stack([transfer_losses(*trio, ours, theirs) for trio, ours, theirs in levels])
            projection, inversion = losses.sum(dim=0)
            terms["projection"] = self.config.projection_weight * projection
            terms["inversion"] = self.config.inversion_weight * inversion
        anchor, clean, degraded = map(lesson.perceive, (student.restored, lesson.clean, lesson.degraded))
        return terms | {"contrast": self.config.soft_weight * contrast(anchor, clean, [degraded])}

    def _examine(self, restored: Tensor, lesson: Lesson) -> dict[str, Tensor]:
        """The terms of the second stage: the same, of which those of the teacher are zero."""
        anchor, clean, degraded = map(lesson.perceive, (restored, lesson.clean, lesson.degraded))
        without_teacher = ("output", "projection", "inversion") if self.has_features else ("output",)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            **dict.fromkeys(without_teacher, torch.zeros((), device=restored.device)),
            "contrast": self.config.hard_weight * contrast(anchor, clean, each_image(degraded), is_mean=True),
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        features = None if is_oracle(teachers) else unequal_levels(student, teachers, cls.teacher_roles)
        return no_perception(teachers) or features


def projector(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two 3x3 convolutions without bias and a ReLU between, initialised for it as in the released code."""
    layers = (
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
    )
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def transfer_losses(
    project_student: Callable[[Tensor], Tensor],
    project_teacher: Callable[[Tensor], Tensor],
    invert: Callable[[Tensor], Tensor],
    student: Tensor,
    teacher: Tensor,
) -> Tensor:
    """The mean absolute differences in the common space, and after the way back from it, of one level.

    Args:
        project_student: From the student's features to the common space.
        project_teacher: From the teacher's.
        invert: From the common space to the teacher's features.
        student: Features ``(N, C, H, W)``.
        teacher: Features ``(N, D, H, W)``.

    Returns:
        Both losses, ``(2,)``: features in the common space, and the teacher's features as they come back.

    References:
        W.-T. Chen et al., "Learning Multiple Adverse Weather Removal via Two-stage Knowledge Learning and
        Multi-contrastive Regularization", CVPR 2022.
    """
    common = project_teacher(teacher)
    return torch.stack([F.l1_loss(project_student(student), common), F.l1_loss(invert(common), teacher)])
