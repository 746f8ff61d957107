"""Relational distillation: the images of a batch lie to one another in the student as they do in the teacher."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, no_features
from bench.features import embedding
from bench.networks.base import RestorationNetwork
from bench.parts import in_parts, whole_batch


class RKDConfig(MethodConfig):
    """Hyper-parameters of relational distillation.

    Attributes:
        distance_weight: Weight of the distances: 25, as in the released code for classification.
        angle_weight: Weight of the angles: 50, from the same place. For metric learning both are 25 times smaller.
    """

    distance_weight: float = Field(25.0, gt=0)
    angle_weight: float = Field(50.0, gt=0)


@METHODS.register("rkd")
class RKD(Distiller):
    """The distances and angles between the images of a batch, as points, should be those of the teacher.

    What a teacher finds alike survives in a network too narrow to hold the teacher's features themselves.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``distance``: Huber loss of the pairs' distances, divided by their mean, to those of the teacher; an image's point
      is its bottleneck averaged over positions; ``distance_weight`` times; 0 for batches of one and two.
    - ``angle``: Huber loss of the cosines of the triplets' angles to those of the teacher, ``angle_weight`` times; 0
      for batches of one and two.
    """

    Config = RKDConfig
    config: RKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    distances = ("distance", "angle")
    reference = Reference(
        title="Relational Knowledge Distillation",
        authors="W. Park, D. Kim, Y. Lu, M. Cho",
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1904.05068",
        code_url="https://github.com/lenscloth/RKD",
        deviations=(
            "The points are the spatially averaged bottlenecks of restoration networks, where the paper has the "
            "embeddings of a classifier. They are not divided by their norm, which the released code does for "
            "classification and not for metric learning. The restoration loss of the run takes the place of the "
            "task's; the released code for classification also adds the KL divergence of the logits. The mean "
            "distance is over all pairs of different images, where the released code leaves out those at distance 0."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        features = self.student.forward_features(lesson.degraded)
        student, teacher = (
            whole_batch(embedding(features.encoder)),
            whole_batch(embedding(lesson.teacher("removal").encoder)),
        )
        return {
            "restoration": self.restoration_loss(features.restored, lesson.clean),
            "distance": self.config.distance_weight * distance_loss(student, teacher),
            "angle": self.config.angle_weight * angle_loss(student, teacher),
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return no_features(teachers, "removal")  # other levels than the bottleneck are not compared


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The Huber loss (threshold 1) of the student's relative distances, mean over all ``N**2`` pairs.

    Args:
        student: Points ``(N, C)``.
        teacher: Points ``(N, D)``.

    References:
        W. Park et al., "Relational Knowledge Distillation", CVPR 2019.
    """
    return F.smooth_l1_loss(relative_distances(student), relative_distances(teacher))


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The Huber loss (threshold 1) of the student's angles, mean over all ``N**3`` triplets; see `distance_loss`."""
    return F.smooth_l1_loss(angles(student), angles(teacher))


def relative_distances(points: Tensor) -> Tensor:
    """Distances ``(N, N)`` of points ``(N, C)``, divided by their mean over all pairs; 0 where all agree."""
    distances = torch.linalg.vector_norm(points[:, None] - points, dim=2)
    num_pairs = max(1, len(points) * (len(points) - 1))
    mean = distances.sum() / num_pairs
    return distances / torch.where(mean > 0, mean, 1)


def angles(points: Tensor) -> Tensor:
    """Cosines ``(N, N, N)`` of the angle at point i between points j and k, of points ``(N, C)``; 0 where two agree."""
    differences = points - points[:, None]
    lengths = torch.linalg.vector_norm(differences, dim=2, keepdim=True)
    # Where points agree, dividing by 1 bounds the gradient, which a small constant in place of the length would not.
    directions = differences / torch.where(lengths > 0, lengths, 1)
    with torch.autocast(points.device.type, enabled=False):
        return directions @ directions.mT
