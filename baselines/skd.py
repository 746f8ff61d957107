"""SKD: the student's features, attended to by the teacher's, are compared with them under a Gaussian kernel."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.contrast import contrast
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
from bench.features import pooled, precise
from bench.networks.base import Levels, RestorationNetwork
from bench.parts import in_parts

Axis = Literal["last", "convex"]
Norm = Literal["mean", "sum"]


class SKDConfig(MethodConfig):
    """Hyper-parameters of SKD.

    Attributes:
        attention_weight: alpha_1, of the two attended features in the kernel term. Not stated where we could look;
            ours.
        kernel_weight: alpha_2, of the kernel term. Not stated where we could look; ours.
        contrast_weight: alpha_3, of the contrastive term. Not stated where we could look; ours.
        temperature: lambda, by which the products of features are divided before the softmax. Not stated where we
            could look; ours.
        sigma: Width of the kernel, in units of the features. Not stated where we could look; ours. Squared differences
            far below its square make the kernel a half of them.
        norm: Squared differences are averaged (``mean``) over the elements of a sample or, as the equation is printed,
            added (``sum``). Added, those of any real level drive the kernel to 1, where it has no gradient; ours.
        softmax_axis: Of the attention between positions: ``last`` as it is printed, or ``convex``, the other axis,
            whereby each position becomes a convex combination of the student's positions.
        largest_side: Levels are average-pooled until no side is longer, since the attention between positions has
            this to the power of 4 entries. Ours: the published crops and levels need no bound.
    """

    attention_weight: float = Field(0.5, ge=0)
    kernel_weight: float = Field(0.1, gt=0)
    contrast_weight: float = Field(0.2, gt=0)
    temperature: float = Field(1.0, gt=0)
    sigma: float = Field(1.0, gt=0)
    norm: Norm = "mean"
    softmax_axis: Axis = "last"
    largest_side: int = Field(16, gt=0)


@METHODS.register("skd")
class SKD(Distiller):
    """The student's features, also as the teacher's attend to them, should be near the teacher's in a kernel space.

    Attention across the networks passes on how channels and positions relate; the kernel, which is bounded, keeps
    features that the student cannot match from taking over.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``kernel``: ``GK(F_S, F_T) + alpha_1 (GK(F_Sc, F_T) + GK(F_Sp, F_T))``, GK one minus a Gaussian of the distance,
      F_S after a 1x1 convolution, F_Sc and F_Sp attended to over channels and positions; averaged over the levels of
      encoder and decoder, alpha_1 = ``attention_weight``, ``kernel_weight`` times.
    - ``contrast``: ``sum_l w_l |v_l(S) - v_l(y)| / |v_l(S) - v_l(x)|``, v the perceptual features, y the clean and x
      the degraded image, ``contrast_weight`` times.
    """

    Config = SKDConfig
    config: SKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal", "perceptual")
    control = "skd"
    reference = Reference(
        title=(
            "Soft Knowledge Distillation with Multi-Dimensional Cross-Net Attention for Image Restoration Models "
            "Compression"
        ),
        authors="Y. Zhang, D. Yan",
        venue="ICASSP",
        year=2025,
        url="https://arxiv.org/abs/2501.09321",
        deviations=(
            "A reconstruction: no code is published, and the weights, lambda and sigma are ours. The kernel takes the "
            "mean of squared differences, since their sum, as printed, saturates it. Student features pass a learned "
            "1x1 convolution per level to the teacher's channels. Levels with a side above 16 are average-pooled "
            "first, and the kernel term is averaged over all levels of encoder and decoder. The contrastive term is "
            "assumed to be that of AECR-Net (H. Wu et al., CVPR 2021), with the perceptual features of the run. "
            "Published with L1 for the restoration term; here it is the restoration loss of the run."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: SKDConfig
    ) -> None:
        super().__init__(student, teachers, config)
        self.regressors: nn.ModuleList | None = None
        if not is_oracle(teachers):
            pairs = zip(student.level_channels, teachers["removal"].level_channels, strict=True)
            self.regressors = nn.ModuleList(nn.Conv2d(ours, theirs, 1) for ours, theirs in pairs)

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, config = self.student.forward_features(lesson.degraded), self.config
        terms = {"restoration": self.restoration_loss(student.restored, lesson.clean)}
        if self.regressors is not None:
            kernel = self._kernel(self.regressors, student.levels, lesson.teacher("removal").levels)
            terms["kernel"] = config.kernel_weight * kernel
        anchor, clean, degraded = map(lesson.perceive, (student.restored, lesson.clean, lesson.degraded))
        terms["contrast"] = config.contrast_weight * contrast(anchor, clean, [degraded])
        return terms

    def _kernel(self, regressors: Iterable[nn.Module], student: Levels, teacher: Levels) -> Tensor:
        """The kernel loss, averaged over the levels."""
        config, losses = self.config, []
        for regress, ours, theirs in zip(regressors, student, teacher, strict=True):
            ours, theirs = (pooled(features, config.largest_side) for features in (ours, theirs))
            losses.append(kernel_loss(regress(ours), theirs, config))
        return torch.stack(losses).mean()

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        features = None if is_oracle(teachers) else unequal_levels(student, teachers, cls.teacher_roles)
        return no_perception(teachers) or features


def kernel_loss(student: Tensor, teacher: Tensor, config: SKDConfig) -> Tensor:
    """``GK(S, T) + attention_weight * (GK(S_c, T) + GK(S_p, T))`` of one level.

    Args:
        student: Features ``(N, C, H, W)``.
        teacher: Same shape.
        config: Its ``attention_weight``, ``temperature``, ``softmax_axis``, ``sigma`` and ``norm``.

    References:
        Y. Zhang, D. Yan, "Soft Knowledge Distillation with Multi-Dimensional Cross-Net Attention for Image Restoration
        Models Compression", ICASSP 2025.
    """
    with torch.autocast(student.device.type, enabled=False):  # sums over positions, whose exponential is taken
        ours, theirs = (precise(features).flatten(2) for features in (student, teacher))
        by_channel = attend_channels(ours, theirs, config.temperature)
        by_position = attend_positions(ours, theirs, config.temperature, config.softmax_axis)
        compared = ours, by_channel, by_position
        plain, *attended = (gaussian_kernel(x, theirs, config.sigma, config.norm) for x in compared)
        return plain + config.attention_weight * torch.stack(attended).sum()


def attend_channels(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """``softmax(T S^T / temperature) S``: each of the teacher's channels takes those of the student that are like it.

    Args:
        student: ``(N, C, n)``.
        teacher: Same shape.
        temperature: Positive.
    """
    return torch.softmax(teacher @ student.mT / temperature, dim=-1) @ student


def attend_positions(student: Tensor, teacher: Tensor, temperature: float, axis: Axis) -> Tensor:
    """``S softmax(T^T S / temperature)``: the same between the n positions, with either axis of the softmax."""
    return student @ torch.softmax(teacher.mT @ student / temperature, dim=-1 if axis == "last" else -2)


def gaussian_kernel(student: Tensor, teacher: Tensor, sigma: float, norm: Norm) -> Tensor:
    """``1 - exp(-|S - T|^2 / (2 sigma^2))``, in [0, 1], averaged over the batch; the norm is that of each sample."""
    squared = (student - teacher).square().flatten(1)
    distance = squared.mean(dim=1) if norm == "mean" else squared.sum(dim=1)
    return -torch.expm1(-distance / (2 * sigma**2)).mean()
