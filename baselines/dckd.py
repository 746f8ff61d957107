"""DCKD: far from what the student restored before, near to the teacher in image and in a codebook's words."""

import copy
import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bench.contrast import contrast
from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, no_perception
from bench.networks.base import Levels, RestorationNetwork


class DCKDConfig(MethodConfig):
    """Hyper-parameters of dynamic contrastive distillation.

    Attributes:
        output_weight: Of the distance to the teacher's image. 1 in the released options.
        contrast_weight: Of the contrastive term. 0.1 in the paper and the released options.
        codebook_weight: Of the cross-entropy of codes. 0.001 in the paper and the released options.
        num_negatives: Images that the history network restores: the degraded one and noisy copies. 5 in the released
            options, whose ``num_neg: 4`` are the copies.
        least_noise: Least standard deviation of the noise of a copy. 1 of 255 in the released code.
        most_noise: Largest standard deviation of the noise of a copy. 30 of 255 in the released code.
        grey_share: How often the noise of a copy is grey. 0.5 in the released options.
        history_share: How much of the student the history network takes over in an update. 0.9 in the paper, the
            released options have ``update_decay: 0.1``.
        least_interval: Steps between two updates of the history network, at least. Ours: scaled to a training of some
            hundred steps, the published intervals are a step or two, the history is the student itself, and the
            contrastive term drives its image away from anything without bound.
        num_codes: Entries of the codebook. Ours; the published one is of a pretrained VQGAN and has 1024.
        code_temperature: Of the softmax over codes, in units of the variance of the features. Ours: so that the
            probabilities of a vector spread over many codes, and not over all.
        codebook_decay: Of the running means that the codes are. 0.99 in the appendix of VQ-VAE.
        double_softmax: Whether codes are compared as in the released code, where the student's probabilities pass a
            second softmax and the gradient does not vanish where they are the teacher's.
    """

    output_weight: float = Field(1.0, gt=0)
    contrast_weight: float = Field(0.1, gt=0)
    codebook_weight: float = Field(0.001, gt=0)
    num_negatives: int = Field(5, ge=2)  # the first may be the student's own image, whose distance alone is zero
    least_noise: float = Field(1 / 255, ge=0)
    most_noise: float = Field(30 / 255, gt=0)
    grey_share: float = Field(0.5, ge=0, le=1)
    history_share: float = Field(0.9, gt=0, le=1)
    least_interval: int = Field(50, ge=1)
    num_codes: int = Field(256, ge=2)
    code_temperature: float = Field(0.25, gt=0)
    codebook_decay: float = Field(0.99, ge=0, lt=1)
    double_softmax: bool = False


@METHODS.register("dckd")
class DCKD(Distiller):
    """The student's image should leave its own past for the teacher's image, in pixels, features and codes.

    What the student restored before bounds the solutions from below, ever closer as it learns; codes compare what an
    image shows at a place, where pixels compare values.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``output``: the same loss of the student's output and the removal teacher's output, ``output_weight`` times.
    - ``contrast``: ``sum_l w_l |v_l(S) - v_l(T)| / sum_k |v_l(S) - v_l(N_k)|``, v the perceptual features, N_k what
      an earlier state of the student makes of the degraded image and of noisy copies, ``contrast_weight`` times.
    - ``codebook``: the cross-entropy ``-C_T log C_S`` of the codes at each position of the deepest perceptual
      features, C a softmax of minus the squared distances to the codes, ``codebook_weight`` times.
    """

    Config = DCKDConfig
    config: DCKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal", "perceptual")
    control = "dckd"
    distances = ("output", "contrast")
    reference = Reference(
        title="Dynamic Contrastive Knowledge Distillation for Efficient Image Restoration",
        authors="Y. Zhou, J. Qiao, J. Liao, W. Li, S. Li, J. Xie, Y. Shen, J. Hu, S. Lin",
        venue="AAAI",
        year=2025,
        url="https://arxiv.org/abs/2412.08939",
        code_url="https://github.com/super-SSS/DCKD",
        deviations=(
            "A reconstruction of the codebook: published is that of a pretrained VQGAN, whose encoder also gives the "
            "perceptual features. Here features are those of the run, and 256 codes are fitted to those of clean "
            "images during the training, by running means (A. van den Oord et al., VQ-VAE, 2017, appendix A.1); "
            "squared distances are divided by a quarter of the variance of the features, so that probabilities do not "
            "depend on their scale. The cross-entropy has one softmax, as the "
            "paper intends; the released code applies it twice. The history network follows the student as "
            "in the paper, in the released code its running mean. It is updated every 1/300, 2/300 and 3/300 of the "
            "training in its three thirds, which are the published 1000, 2000 and 3000 of 300000 iterations, but not "
            "more often than every 50 steps, where the history would be the student itself. Noisy "
            "copies are not clipped. The released option files add the teacher's answer to an augmented image, which "
            "the paper's loss does not have; neither does this one. Published with L1 for both images; here both use "
            "the restoration loss of the run."
        ),
    )

    history_step: Tensor

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: DCKDConfig
    ) -> None:
        super().__init__(student, teachers, config)
        self.history = copy.deepcopy(student).eval().requires_grad_(False)
        self.codebook = Codebook(config.num_codes, teachers["perceptual"].encoder_channels[-1], config.codebook_decay)
        self.register_buffer("history_step", torch.tensor(0))

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        self._update_history(lesson)
        clean = lesson.perceive(lesson.clean)
        self.codebook.fit(deepest(clean), lesson.step)
        restored, target = self.student(lesson.degraded), lesson.teacher("removal").restored
        anchor, positive = lesson.perceive(restored), lesson.perceive(target)
        student, teacher = (self.codebook.logits(deepest(x)) / self.config.code_temperature for x in (anchor, positive))
        codes = code_cross_entropy(student, teacher, self.config.double_softmax)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "output": self.config.output_weight * self.restoration_loss(restored, target),
            "contrast": self.config.contrast_weight * contrast(anchor, positive, self._negatives(lesson)),
            "codebook": self.config.codebook_weight * codes,
        }

    @torch.no_grad()
    def _update_history(self, lesson: Lesson) -> None:
        """Lets the history network follow where it is due; not again where this step is repeated."""
        if is_update_step(lesson.step, lesson.progress, self.config.least_interval):
            share = self.config.history_share * (self.history_step < lesson.step)
            follow(self.history, self.student, share)
            self.history_step.clamp_min_(lesson.step)

    @torch.no_grad()
    def _negatives(self, lesson: Lesson) -> list[Levels]:
        """The perceptual features of what the history network makes of the degraded image and of noisy copies."""
        config, image = self.config, lesson.degraded
        generator, shape = lesson.generator("dckd"), (config.num_negatives - 1, len(image), 1, 1, 1)
        noise = torch.randn(*shape[:2], *image.shape[1:], generator=generator)
        is_grey = torch.rand(shape, generator=generator) < config.grey_share
        sigma = torch.rand(shape, generator=generator) * (config.most_noise - config.least_noise) + config.least_noise
        noise = sigma * torch.where(is_grey, noise[:, :, :1], noise)
        images = torch.cat([image, (image + noise.to(image)).flatten(0, 1)])
        levels = lesson.perceive(self.history(images))
        return list(zip(*(level.chunk(config.num_negatives) for level in levels), strict=True))

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        return no_perception(teachers)


class Codebook(nn.Module):
    """Vectors that stand for the features of clean images: online k-means, without randomness.

    Args:
        num_codes: How many.
        channels: Of the features.
        decay: Of the running means.

    References:
        A. van den Oord et al., "Neural Discrete Representation Learning", NeurIPS 2017, appendix A.1.
    """

    codes: Tensor
    counts: Tensor
    step: Tensor

    def __init__(self, num_codes: int, channels: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.zeros(num_codes, channels))
        self.register_buffer("counts", torch.zeros(num_codes))  # running means of the vectors that choose each code
        self.register_buffer("step", torch.tensor(-1))

    @property
    def is_used(self) -> Tensor:
        """Which codes count: not those that are still empty, or that no vector has chosen for some 700 steps."""
        return self.counts > 1e-3

    @torch.no_grad()
    def fit(self, vectors: Tensor, step: int) -> None:
        """Fills unused codes with vectors, then moves each code towards the vectors it is the nearest to.

        Args:
            vectors: ``(P, C)``, of clean images.
            step: A repeated one changes nothing.
        """
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.to(self.codes.dtype)
            codes, counts = self._filled(vectors)
            distances = squared_distances(vectors, codes).masked_fill(counts == 0, math.inf)
            chosen = (distances.argmin(dim=1, keepdim=True) == torch.arange(len(codes), device=codes.device)).to(codes)
            sizes = chosen.sum(dim=0)
            counts = self.decay * counts + (1 - self.decay) * sizes
            shift = (chosen.mT @ vectors - sizes[:, None] * codes) / counts.clamp_min(1e-6)[:, None]
            codes = codes + (1 - self.decay) * shift
            is_new = self.step < step
            self.codes.copy_(torch.where(is_new, codes, self.codes))
            self.counts.copy_(torch.where(is_new, counts, self.counts))
            self.step.clamp_min_(step)

    def _filled(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and counts with evenly spaced vectors in the place of unused codes, as far as there are vectors."""
        place = (~self.is_used).cumsum(0) - 1
        index = place * max(1, len(vectors) // len(self.codes))
        filled = ~self.is_used & (index < len(vectors))
        codes = torch.where(filled[:, None], vectors[index.clamp(0, len(vectors) - 1)], self.codes)
        return codes, torch.where(filled, 1.0, self.counts * self.is_used)

    def logits(self, vectors: Tensor) -> Tensor:
        """Minus the squared distance of each vector to each code, in units of the variance of the features.

        Args:
            vectors: ``(P, C)``.

        Returns:
            ``(P, K)``, in float32 or better; of unused codes so low that they have no share in a softmax.
        """
        with torch.autocast(vectors.device.type, enabled=False):
            share = self.counts / self.counts.sum()
            variance = share @ (self.codes - share @ self.codes).square().sum(dim=1)
            distances = squared_distances(vectors.to(self.codes.dtype), self.codes) / variance.clamp_min(1e-12)
            return (-distances).masked_fill(~self.is_used, -1e30)  # not infinite: 0 times that is no number


def deepest(levels: Levels) -> Tensor:
    """The deepest of some levels as one vector per position, ``(P, C)``."""
    return levels[-1].movedim(1, -1).flatten(0, 2)


def squared_distances(vectors: Tensor, codes: Tensor) -> Tensor:
    """Between ``vectors`` ``(P, C)`` and ``codes`` ``(K, C)``: ``(P, K)``."""
    origin = codes.mean(dim=0)  # near it, the differences of squares lose fewer digits
    vectors, codes = vectors - origin, codes - origin
    squares = vectors.square().sum(dim=1, keepdim=True) + codes.square().sum(dim=1)
    return (squares - 2 * vectors @ codes.mT).clamp_min(0)


def code_cross_entropy(student: Tensor, teacher: Tensor, double_softmax: bool = False) -> Tensor:
    """``-sum_k C_T log C_S``, averaged over the vectors, C the softmax of logits ``(P, K)``.

    Args:
        student: Its logits.
        teacher: Its logits.
        double_softmax: See `DCKDConfig`.

    References:
        Y. Zhou et al., "Dynamic Contrastive Knowledge Distillation for Efficient Image Restoration", AAAI 2025.
    """
    logits = torch.softmax(student, dim=-1) if double_softmax else student
    return -(torch.softmax(teacher, dim=-1) * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


def is_update_step(step: int, progress: float, least_interval: int = 1) -> bool:
    """Whether the history network follows before this step: after every 1, 2 and 3 of 300 parts, in three thirds."""
    if step == 0:
        return False
    num_steps, third = round(step / progress), math.ceil(3 * progress)
    return step % max(least_interval, round(third * num_steps / 300)) == 0


@torch.no_grad()
def follow(history: nn.Module, student: nn.Module, share: Tensor | float) -> None:
    """Moves the parameters of ``history`` by this share of the way to those of ``student``."""
    for past, present in zip(history.parameters(), student.parameters(), strict=True):
        past.add_(share * (present - past))
