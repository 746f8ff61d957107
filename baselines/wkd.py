"""Wavelet distillation: the student imitates the details of the teacher's restored image."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role
from bench.parts import in_parts
from bench.wavelets import band_distances


class WKDConfig(MethodConfig):
    """Hyper-parameters of wavelet distillation.

    Attributes:
        wavelet_weight: Weight of the distance of the high bands. Not stated where we could look; ours. The released
            code leaves the weighing of the loss to its caller.
        num_levels: Levels of the Haar transform: 4, as in the released code.
    """

    wavelet_weight: float = Field(1.0, gt=0)
    num_levels: int = Field(4, ge=1)


@METHODS.register("wkd")
class WKD(Distiller):
    """The high Haar bands of the student's image, but not its low band, should be those of the teacher's image.

    A small network restores smooth areas well and loses details, so the teacher is listened to in these alone.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``wavelet``: ``sum_l mean|H_l(S) - H_l(T)|``, H_l the three high bands of Haar level l of the student's and the
      removal teacher's output, ``wavelet_weight`` times.
    """

    Config = WKDConfig
    config: WKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    control = "wkd"
    distances = ("wavelet",)
    reference = Reference(
        title="Wavelet Knowledge Distillation: Towards Efficient Image-to-Image Translation",
        authors="L. Zhang, X. Chen, X. Tu, P. Wan, N. Xu, K. Ma",
        venue="CVPR",
        year=2022,
        url="https://arxiv.org/abs/2203.06321",
        code_url="https://github.com/ArchipLab-LinfengZhang/wkd-datasets",
        deviations=(
            "Published for generative adversarial networks: the restoration loss of the run takes the place of the "
            "adversarial and cycle losses, and there is no discriminator to compress. The weight of the wavelet term "
            "is not stated where we could look and is ours."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        restored = self.student(lesson.degraded)
        wavelet = high_band_loss(restored, lesson.teacher("removal").restored, self.config.num_levels)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "wavelet": self.config.wavelet_weight * wavelet,
        }


def high_band_loss(student: Tensor, teacher: Tensor, num_levels: int) -> Tensor:
    """The mean absolute difference of the high Haar bands of two images, summed over the levels.

    Args:
        student: ``(N, C, H, W)``.
        teacher: Same shape.
        num_levels: At least 1.

    References:
        L. Zhang et al., "Wavelet Knowledge Distillation", CVPR 2022.
    """
    _, high = band_distances(student, teacher, num_levels)
    return high.sum()
