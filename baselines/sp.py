"""Similarity-preserving distillation: images that are alike to the teacher are alike to the student."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, unequal_levels
from bench.features import precise
from bench.networks.base import Levels, RestorationNetwork


class SPConfig(MethodConfig):
    """Hyper-parameters of similarity-preserving distillation.

    Attributes:
        similarity_weight: gamma, 3000 in the paper and in the scripts of RepDistiller.
    """

    similarity_weight: float = Field(3000.0, gt=0)


@METHODS.register("sp")
class SP(Distiller):
    """Two crops whose features are similar (or not) in the teacher should be so in the student.

    The student keeps its own features, of any number of channels; only the similarities within a batch are taught.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``similarity``: ``norm(G_S - G_T)**2 / N**2``, G the N x N products of the batch's flattened features with rows of
      norm 1, summed over the levels of encoder and decoder, ``similarity_weight`` times; 0 for a batch of one.
    """

    Config = SPConfig
    config: SPConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    distances = ("similarity",)
    reference = Reference(
        title="Similarity-Preserving Knowledge Distillation",
        authors="F. Tung, G. Mori",
        venue="ICCV",
        year=2019,
        url="https://arxiv.org/abs/1907.09682",
        deviations=(
            "All levels of encoder and decoder; the paper sums over layers too, but its experiments take the last "
            "convolutional layer of a classifier only. The restoration loss of the run takes the place of the "
            "cross-entropy. Batches of restoration are smaller than those of classification."
        ),
    )

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, teacher = self.student.forward_features(lesson.degraded), lesson.teacher("removal")
        similarity = similarity_loss(student.levels, teacher.levels)
        return {
            "restoration": self.restoration_loss(student.restored, lesson.clean),
            "similarity": self.config.similarity_weight * similarity,
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return unequal_levels(student, teachers, cls.teacher_roles)


def similarity_loss(student: Levels, teacher: Levels) -> Tensor:
    """The mean squared difference of the similarities within the batch, summed over the levels.

    Args:
        student: Features ``(N, C_i, H_i, W_i)``.
        teacher: Features ``(N, D_i, H_i, W_i)``.

    References:
        F. Tung, G. Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019.
    """
    pairs = zip(student, teacher, strict=True)
    return torch.stack([F.mse_loss(similarities(ours), similarities(theirs)) for ours, theirs in pairs]).sum()


def similarities(features: Tensor) -> Tensor:
    """The scalar products ``(N, N)`` of the images' features ``(N, C, H, W)``, rows divided by their norm.

    In float32 at least: the products of a crop's features are sums over some 10^5 numbers.
    """
    with torch.autocast(features.device.type, enabled=False):
        rows = precise(features).flatten(1)
        return F.normalize(rows @ rows.mT)
