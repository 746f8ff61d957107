"""SLKD: simultaneous learning from degraded and clean images, with two teachers."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bench.distiller import (
    METHODS,
    Distiller,
    Lesson,
    MethodConfig,
    Panels,
    Reference,
    Role,
    is_oracle,
    unequal_levels,
)
from bench.losses import image_kl
from bench.networks.base import Features, RestorationNetwork
from bench.parts import in_parts, mean_over_batch
from slkd import brisque, pictures, piqe
from slkd.scale import LinearProbes, ScaleConversion

SMALLEST_BALANCED = 1e-6
"""A term below this counts as this when it is balanced, so that a vanished term is not blown up."""


class SLKDConfig(MethodConfig):
    """Hyper-parameters of SLKD, and the switches of its ablations. A term of weight zero is not computed.

    Attributes:
        kl_weight: Weight of the image-level KL divergence; 0.5 is the paper's.
        nc_weight: Weight of degradation removal learning, L_NC; 0.1 is the paper's.
        et_weight: Weight of image reconstruction learning, L_ET; 0.1 is the paper's.
        tau: Temperature of the KL divergence, in units of the image's range [0, 1].
        balance: ``pixel``: weights are relative to the restoration term, to which every distillation term is scaled
            first; ``none``: they are absolute.
        extractors: ``statistics``: BRISQUE and PIQE; ``identity``: images are compared pixel by pixel (an ablation).
        teacher_b: Who processes the clean image: the ``reconstruction`` teacher, or the ``restorer``, which is the
            removal teacher.
        teacher_b_sees: The ``clean`` image, as in the paper, or the ``degraded`` one (an ablation).
    """

    kl_weight: float = Field(0.5, ge=0)
    nc_weight: float = Field(0.1, ge=0)
    et_weight: float = Field(0.1, ge=0)
    tau: float = Field(1.0, gt=0)
    balance: Literal["pixel", "none"] = "pixel"
    extractors: Literal["statistics", "identity"] = "statistics"
    teacher_b: Literal["reconstruction", "restorer"] = "reconstruction"
    teacher_b_sees: Literal["clean", "degraded"] = "clean"


Distance = Callable[[Tensor, Tensor], Tensor]


class Branch(nn.Module):
    """Learning from one teacher's features: both sides become images, whose statistics are compared.

    The distance trains the student's side. It must not train the teacher's, or both would agree on a constant image:
    that side is a set of linear probes of what the teacher restores.

    Args:
        distance: The extractor's distance of two batches of images.
        student_channels: Channels of the student's levels, finest first.
        teacher_channels: Channels of the teacher's levels.
    """

    def __init__(
        self, distance: Distance, student_channels: tuple[int, ...], teacher_channels: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.distance = distance
        self.student_scm = ScaleConversion(student_channels)
        self.teacher_scm = LinearProbes(teacher_channels)

    def forward(
        self, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], teacher_restored: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the distance, summed over the levels, and the probes' mean squared error."""
        self.teacher_scm.fit(teacher, teacher_restored)
        student_images, teacher_images = self.student_scm(student), self.teacher_scm(teacher)
        distance = len(student) * self.distance(student_images, teacher_images)
        return distance, F.mse_loss(teacher_images, teacher_restored.repeat(len(teacher), 1, 1, 1))


@METHODS.register("slkd")
class SLKD(Distiller):
    """SLKD: the student's encoder learns to remove degradations, its decoder to reconstruct images.

    One teacher restores degraded images, the other sees clean ones; extractors compare what matters for either task.
    With o, e, d the student's output, encoder and decoder features for the degraded image x, teacher A's output and
    encoder features for x, and teacher B's decoder features for the clean image y, the loss is

        restoration(o, y) + 0.5 KL(o_A || o) + 0.1 sum_l L_NC(e_l, e_A,l) + 0.1 sum_l L_ET(d_l, d_B,l)

    With ``balance="pixel"`` the values of ``kl``, ``nc`` and ``et`` are by construction their weight times
    ``restoration``: they say nothing, their gradients do. Their own values are ``measured``, and so is the mean squared
    error of the probes that show the features of teachers A and B.

    Terms:

    - ``restoration``: the restoration loss of o and y, weight 1.
    - ``kl``: KL divergence of o from o_A, each a distribution over its pixels (`bench.losses.image_kl`), weight 0.5,
      the paper's.
    - ``nc``: L_NC, distance of the natural scene statistics (`slkd.brisque`) of the images into which scale conversion
      modules (`slkd.scale`) turn the encoders' features, summed over the levels, weight 0.1, the paper's.
    - ``et``: L_ET, distance of texture and edges (`slkd.piqe`) of the decoders' images, likewise, weight 0.1.
    """

    Config = SLKDConfig
    config: SLKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal", "reconstruction")
    control = "slkd"
    distances = ("kl",)
    reference = Reference(
        title="Knowledge Distillation for Image Restoration: Simultaneous Learning from Degraded and Clean Images",
        authors="Y. Zhang, D. Yan",
        venue="ICASSP",
        year=2025,
        url="https://arxiv.org/abs/2501.09268",
        deviations=(
            "A reconstruction: no code was released. Documented are the roles of the teachers and what they see, the "
            "BRISQUE and PIQE extractors, the scale conversion module and the three weights; the formulas of L_NC, "
            "L_ET, the KL term and the scale conversion are ours. Weights are relative to the restoration term, "
            "since absolute ones drown it. Teacher B is built without the global residual, since with it clean -> "
            "clean is solved by the zero function. Teacher-side scale conversions are linear probes of the teacher's "
            "own output, since trained by the distance both sides would collapse."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: SLKDConfig
    ) -> None:
        super().__init__(student, teachers, config)
        self._role_b: Role = "removal" if config.teacher_b == "restorer" else "reconstruction"
        self.removal = self.reconstruction = None
        if config.nc_weight and not is_oracle(teachers):
            channels = student.encoder_channels, teachers["removal"].encoder_channels
            self.removal = Branch(self._distance(brisque.distance), *channels)
        if config.et_weight and not is_oracle(teachers):
            channels = student.decoder_channels, teachers[self._role_b].decoder_channels
            self.reconstruction = Branch(self._distance(piqe.distance), *channels)

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student = self.student.forward_features(lesson.degraded)
        restoration = self.restoration_loss(student.restored, lesson.clean)
        terms, probes = {}, {}
        if self.config.kl_weight:
            terms["kl"] = image_kl(student.restored, lesson.teacher("removal").restored, self.config.tau)
        if self.removal:
            teacher_a = lesson.teacher("removal")
            terms["nc"], probes["probes_a"] = self.removal(student.encoder, teacher_a.encoder, teacher_a.restored)
        if self.reconstruction:
            teacher_b = self._teacher_b(lesson)
            terms["et"], probes["probes_b"] = self.reconstruction(
                student.decoder, teacher_b.decoder, teacher_b.restored
            )
        self.measured = {f"{name}_unweighted": term.detach() for name, term in terms.items()} | probes
        weighted = {name: self._weight(name) * self._balance(term, restoration) for name, term in terms.items()}
        return {"restoration": restoration, **weighted}

    def pictures(self, lesson: Lesson) -> dict[str, Panels]:
        student = self.student.forward_features(lesson.degraded)
        images: dict[str, Tensor] = {}
        if self.removal:
            images["student, encoder"] = self.removal.student_scm(student.encoder)
            images["teacher A, encoder"] = self.removal.teacher_scm(lesson.teacher("removal").encoder)
        if self.reconstruction:
            images["student, decoder"] = self.reconstruction.student_scm(student.decoder)
            images["teacher B, decoder"] = self.reconstruction.teacher_scm(self._teacher_b(lesson).decoder)
        if not images:
            return {}
        has_statistics = self.config.extractors == "statistics"
        return pictures.scale_converted(images) | (pictures.statistics(images) if has_statistics else {})

    def _teacher_b(self, lesson: Lesson) -> Features:
        return lesson.ask(self._role_b, lesson.clean if self.config.teacher_b_sees == "clean" else lesson.degraded)

    def _weight(self, term: str) -> float:
        return {"kl": self.config.kl_weight, "nc": self.config.nc_weight, "et": self.config.et_weight}[term]

    def _distance(self, statistics: Distance) -> Distance:
        return statistics if self.config.extractors == "statistics" else F.l1_loss

    def _balance(self, term: Tensor, restoration: Tensor) -> Tensor:
        """Scales a term to the value of the restoration term; the factor carries no gradient."""
        if self.config.balance == "none":
            return term
        return term * (mean_over_batch(restoration) / mean_over_batch(term).clamp_min(SMALLEST_BALANCED)).detach()

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        if is_oracle(teachers):
            return None
        if not student.decoder_channels:
            return "the student has no decoder"
        return unequal_levels(student, teachers, cls.teacher_roles)
