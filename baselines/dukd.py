"""DUKD: teacher and student also restore clean images, which the student sees flipped, transposed or inverted."""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role

OPERATIONS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda images: 1 - images,
    lambda images: images.flip(-2),
    lambda images: images.flip(-1),
    lambda images: images.transpose(-2, -1),
)
"""Inversion of the colours, flip of the rows, flip of the columns, transposition; each is its own inverse."""


class DUKDConfig(MethodConfig):
    """Hyper-parameters of DUKD.

    Attributes:
        output_weight: Weight of the distance to the teacher's image: 1, as in the released options for RCAN at scales 2
            and 4. Those for EDSR and SwinIR weigh the restoration loss by 5 instead, which is 0.2 here and below.
        upcycling_weight: Weight of the distance on clean crops: that of the teacher's image in all released options.
        probability: Of each operation of the augmentation, for each crop: 0.3, the default of the released code.
        inverse: How the student's image is brought back: ``true`` undoes the operations from the last to the first;
            ``released`` repeats them in their order, as the released code does. That leaves crops turned by 180
            degrees which were transposed and flipped once: 2 p**2 (1 - p), 13 % of them.
    """

    output_weight: float = Field(1.0, ge=0)
    upcycling_weight: float = Field(1.0, gt=0)
    probability: float = Field(0.3, ge=0, le=1)
    inverse: Literal["true", "released"] = "true"


@METHODS.register("dukd")
class DUKD(Distiller):
    """The student should restore as the teacher does, also clean crops that it sees augmented, unlike the teacher.

    Clean crops are images whose teacher's answer the student has not yet been taught, and an augmentation that is
    undone afterwards should leave no trace in what a network restores.

    Terms:

    - ``restoration``: the restoration loss R of the student's output and the clean image, weight 1.
    - ``output``: R of the student's output and the removal teacher's output, ``output_weight`` times.
    - ``upcycled``: ``R(A^-1 S(A c), T(c))``, c the clean crops, T the removal teacher and A colour inversion, flips and
      transposition, each drawn for each crop with ``probability``; ``upcycling_weight`` times.
    """

    Config = DUKDConfig
    config: DUKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    control = "dukd"
    distances = ("output",)
    reference = Reference(
        title="Data Upcycling Knowledge Distillation for Image Super-Resolution",
        authors="Y. Zhang, W. Li, S. Li, H. Chen, Z. Tu, W. Wang, B. Jing, S. Lin, J. Hu",
        venue="arXiv",
        year=2023,
        url="https://arxiv.org/abs/2309.14162",
        code_url="https://github.com/yun224/DUKD",
        deviations=(
            "Published with L1; here all distances are the restoration loss of the run. All terms are in one step of "
            "the optimiser, where the published method takes a second one for the upcycled images, in the released "
            "code without clearing the gradients of the first. The clean crops take the place of tiles of the "
            "high-resolution image (zoom-in); zoom-out needs a scale and is left out. The augmentation is undone by "
            "its true inverse; the released code's is an option. Crops that are not square are not transposed."
        ),
    )

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        restored = self.student(lesson.degraded)
        output = self.restoration_loss(restored, lesson.teacher("removal").restored)
        chosen = draw_augmentation(lesson.clean, self.config.probability, lesson.generator("dukd"))
        undo = undo_augmentation if self.config.inverse == "true" else augment
        again = undo(self.student(augment(lesson.clean, chosen)), chosen)
        upcycled = self.restoration_loss(again, lesson.ask("removal", lesson.clean).restored)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "output": self.config.output_weight * output,
            "upcycled": self.config.upcycling_weight * upcycled,
        }


def draw_augmentation(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Draws which images ``(N, C, H, W)`` each of the operations is applied to.

    Returns:
        A row of ``(4, N)`` truth values per operation, on the device of the images; without the last one,
        transposition, where the images are not square.
    """
    chosen = torch.rand(len(OPERATIONS), len(images), generator=generator) < probability
    is_square = images.shape[-2] == images.shape[-1]
    return (chosen if is_square else chosen[:-1]).to(images.device)


def augment(images: Tensor, chosen: Tensor) -> Tensor:
    """Applies the operations, in their order, to the images ``(N, C, H, W)`` that are ``chosen`` for them."""
    for operation, is_chosen in zip(OPERATIONS, chosen, strict=False):
        images = torch.where(is_chosen[:, None, None, None], operation(images), images)
    return images


def undo_augmentation(images: Tensor, chosen: Tensor) -> Tensor:
    """The inverse of `augment`: the operations from the last to the first."""
    for operation, is_chosen in reversed(list(zip(OPERATIONS, chosen, strict=False))):
        images = torch.where(is_chosen[:, None, None, None], operation(images), images)
    return images
