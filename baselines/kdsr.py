"""KDSR: the student's description of the degradation has the distribution of the teacher's."""

from collections.abc import Mapping
from typing import ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, no_features
from bench.features import embedding, precise
from bench.networks.base import RestorationNetwork
from bench.parts import in_parts


class KDSRConfig(MethodConfig):
    """Hyper-parameters of KDSR.

    Attributes:
        kl_weight: Weight of the divergence: 1, as in the released code, whose images are in [0, 1] too.
        tau: The temperature of the softmax: 0.15, as in the released code.
    """

    kl_weight: float = Field(1.0, gt=0)
    tau: float = Field(0.15, gt=0)


@METHODS.register("kdsr")
class KDSR(Distiller):
    """One vector per image, the averaged bottleneck, should tell of the degradation what the teacher's does.

    A mean over all positions cannot hold the image, but what is the same everywhere, such as the kind of its
    degradation, and a student that knows it can adapt to it.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``kl``: ``KL(softmax(z_T / tau), softmax(r(z_S) / tau))``, z the bottleneck averaged over positions, r a learned
      linear map, the softmax over channels; mean over the batch, ``kl_weight`` times.
    """

    Config = KDSRConfig
    config: KDSRConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    reference = Reference(
        title="Knowledge Distillation based Degradation Estimation for Blind Super-Resolution",
        authors="B. Xia, Y. Zhang, Y. Wang, Y. Tian, W. Yang, R. Timofte, L. Van Gool",
        venue="ICLR",
        year=2023,
        url="https://arxiv.org/abs/2211.16928",
        code_url="https://github.com/Zj-BinXia/KDSR",
        deviations=(
            "The distillation loss only, on the averaged bottlenecks of networks as they are. The paper distils an "
            "estimator of the degradation of its own, which modulates the convolutions of the network, from one of "
            "the same size, hence without our linear map, that sees the clean image beside the degraded one; here "
            "that is the removal teacher, which sees the degraded image only. The paper's student starts with the "
            "teacher's weights, ours anew. Published with L1; here the restoration loss of the run."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: KDSRConfig
    ) -> None:
        super().__init__(student, teachers, config)
        self.regressor = nn.Linear(student.encoder_channels[-1], teachers["removal"].encoder_channels[-1])

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, teacher = self.student.forward_features(lesson.degraded), lesson.teacher("removal")
        kl = vector_kl(self.regressor(embedding(student.encoder)), embedding(teacher.encoder), self.config.tau)
        return {
            "restoration": self.restoration_loss(student.restored, lesson.clean),
            "kl": self.config.kl_weight * kl,
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return no_features(teachers, "removal")  # other levels than the bottleneck are not compared


def vector_kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """KL divergence of two batches of vectors, ``KL(softmax(teacher / tau), softmax(student / tau))``, batch mean.

    Args:
        student: Vectors ``(N, D)``.
        teacher: The same shape.
        tau: The temperature; unlike in Hinton's distillation, the divergence is not multiplied by its square.

    References:
        B. Xia et al., "Knowledge Distillation based Degradation Estimation for Blind Super-Resolution", ICLR 2023.
    """
    ours, theirs = (F.log_softmax(precise(vectors) / tau, dim=1) for vectors in (student, teacher))
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
