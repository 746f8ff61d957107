"""The student alone, for as long as a method with a teacher would have computed."""

from typing import ClassVar

from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, Reference, TeacherRole
from bench.parts import in_parts


@METHODS.register("scratch_long")
class ScratchLong(Distiller):
    """The student without a teacher, trained for more steps: those that the teacher's forward passes would have cost.

    A method with a teacher must beat it to be worth its price: with the same multiply-accumulates, the student alone
    learns longer.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    """

    pays_for: ClassVar[tuple[TeacherRole, ...]] = ("removal",)
    reference = Reference(
        title="No distillation: the student alone, at the cost of output distillation",
        authors="",
        venue="",
        year=2025,
        url="",
        deviations=(
            "The number of steps is that of the other methods times 1 + T / 3S, T and S the multiply-accumulates of a "
            "forward pass of the removal teacher and of the student: a step of training counts as three passes. The "
            "learning rate falls over all of its own steps."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        return {"restoration": self.restoration_loss(self.student(lesson.degraded), lesson.clean)}
