"""The student alone: no teacher, only the restoration loss."""

from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, Reference
from bench.parts import in_parts


@METHODS.register("scratch")
class Scratch(Distiller):
    """The student trained without a teacher. Every method must beat it with the same data, steps and initial weights.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    """

    reference = Reference(
        title="No distillation: the student alone",
        authors="",
        venue="",
        year=2025,
        url="",
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        return {"restoration": self.restoration_loss(self.student(lesson.degraded), lesson.clean)}
