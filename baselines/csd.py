"""CSD: the teacher's image is the positive, degraded images are the negatives of a contrastive distance."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from bench.contrast import contrast, each_image
from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, no_perception
from bench.networks.base import RestorationNetwork
from bench.parts import in_parts


class CSDConfig(MethodConfig):
    """Hyper-parameters of CSD.

    Attributes:
        contrast_weight: Weight of the contrastive term. Published 200 with images in [0, 255], where the restoration
            term is 255 times ours and the contrastive one, a ratio, is not.
        num_negatives: How many degraded images of the batch are negatives, at most. 10 in the released commands.
    """

    contrast_weight: float = Field(200 / 255, gt=0)
    num_negatives: int = Field(10, ge=1)


@METHODS.register("csd")
class CSD(Distiller):
    """To perceptual features, the student's image should look like the teacher's and unlike degraded ones.

    The teacher's image bounds the solutions from above and the degraded images from below, where a distance to the
    teacher alone says nothing about the direction of an error.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``contrast``: ``sum_l w_l |v_l(S) - v_l(T)| / sum_k |v_l(S) - v_l(N_k)|``, v the perceptual features, T the
      removal teacher's output, N_k the first degraded images of the batch, w_l of `bench.contrast`,
      ``contrast_weight`` times.
    """

    Config = CSDConfig
    config: CSDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal", "perceptual")
    control = "csd"
    distances = ("contrast",)
    reference = Reference(
        title="Towards Compact Single Image Super-Resolution via Contrastive Self-distillation",
        authors="Y. Wang, S. Lin, Y. Qu, H. Wu, Z. Zhang, Y. Xie, A. Yao",
        venue="IJCAI",
        year=2021,
        url="https://arxiv.org/abs/2105.11683",
        code_url="https://github.com/Booooooooooo/CSD",
        deviations=(
            "Published for super-resolution, where the student is a slice of the teacher's channels and both are "
            "trained together, the teacher with an L1 term of its own; here the teacher is another network, trained "
            "and frozen before. Degraded images are the negatives instead of bicubically enlarged ones, and where a "
            "batch has fewer than 10 images, all of them are. Perceptual features are those of the run, published "
            "ones are of VGG19. Published with L1 for the restoration term; here it is the restoration loss of the "
            "run. As in the released commands, no gradient reaches the teacher, and an image's own degraded version "
            "is among its negatives."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        restored, positive = self.student(lesson.degraded), lesson.teacher("removal").restored
        negatives = each_image(lesson.perceive(lesson.degraded))[: self.config.num_negatives]
        distance = contrast(lesson.perceive(restored), lesson.perceive(positive), negatives)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "contrast": self.config.contrast_weight * distance,
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return no_perception(teachers)
