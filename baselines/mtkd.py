"""MTKD: the student imitates the teacher's restored image in all bands of a wavelet transform."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role
from bench.parts import in_parts
from bench.wavelets import band_distances


class MTKDConfig(MethodConfig):
    """Hyper-parameters of MTKD.

    Attributes:
        restoration_weight: alpha, the weight of the restoration loss: 0.1 in the released options.
        wavelet_weight: Weight of the distance to the teacher's image: 1 in the released options.
        num_levels: Levels of the Haar transform: 4, as in the released code.
    """

    restoration_weight: float = Field(0.1, ge=0)
    wavelet_weight: float = Field(1.0, gt=0)
    num_levels: int = Field(4, ge=1)


@METHODS.register("mtkd")
class MTKD(Distiller):
    """The student's image should be that of the teacher in every Haar band, and a little the clean one.

    The bands weigh coarse and fine structures alike, of which a distance of pixels sees mostly the coarse ones.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, ``restoration_weight`` times.
    - ``wavelet``: ``mean|L(S) - L(T)| + sum_l mean|H_l(S) - H_l(T)|``, L the low band and H_l the three high bands of
      Haar level l of the student's and the removal teacher's output, ``wavelet_weight`` times.
    """

    Config = MTKDConfig
    config: MTKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    control = "mtkd"
    distances = ("wavelet",)
    reference = Reference(
        title="MTKD: Multi-Teacher Knowledge Distillation for Image Super-Resolution",
        authors="Y. Jiang, C. Feng, F. Zhang, D. Bull",
        venue="ECCV",
        year=2024,
        url="https://arxiv.org/abs/2404.09571",
        code_url="https://github.com/YuxuanJJ/MTKD",
        deviations=(
            "One teacher takes the place of several, whose images a further network (DCTSwin) would merge: only the "
            "second stage, the distillation, is left. Published with L1 to the clean image; here it is the restoration "
            "loss of the run. The low band is compared for the whole batch, as in the paper; the released loss "
            "compares it for a single image of the batch and fails for batches below four. The released options train "
            "with a plain L1 to the merged image instead of the wavelet loss of the paper, which is used here."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        restored = self.student(lesson.degraded)
        wavelet = wavelet_loss(restored, lesson.teacher("removal").restored, self.config.num_levels)
        return {
            "restoration": self.config.restoration_weight * self.restoration_loss(restored, lesson.clean),
            "wavelet": self.config.wavelet_weight * wavelet,
        }


def wavelet_loss(student: Tensor, teacher: Tensor, num_levels: int) -> Tensor:
    """The mean absolute difference of the Haar bands of two images: the low band, and the high bands of each level.

    Args:
        student: ``(N, C, H, W)``.
        teacher: Same shape.
        num_levels: At least 1.

    References:
        Y. Jiang et al., "MTKD: Multi-Teacher Knowledge Distillation for Image Super-Resolution", ECCV 2024.
    """
    low, high = band_distances(student, teacher, num_levels)
    return torch.stack([low, *high]).sum()
