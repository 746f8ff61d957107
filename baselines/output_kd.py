"""Output distillation: the student imitates the teacher's restored image."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role
from bench.parts import in_parts


class OutputKDConfig(MethodConfig):
    """Hyper-parameters of output distillation.

    Attributes:
        output_weight: Weight of the distance to the teacher's image.
    """

    output_weight: float = Field(1.0, gt=0)


@METHODS.register("output_kd")
class OutputKD(Distiller):
    """The student's image should be close to the clean image and, as much, to what the teacher restores.

    The teacher's image is smoother than the clean one, hence the easier target for a small network.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``output``: the same loss of the student's output and the removal teacher's output, weight 1, as in the
      teacher-supervision term of the reference, which weighs both alike.
    """

    Config = OutputKDConfig
    config: OutputKDConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("removal",)
    control = "output_kd"
    distances = ("output",)
    reference = Reference(
        title="FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image Super-Resolution",
        authors="Z. He, T. Dai, J. Lu, Y. Jiang, S.-T. Xia",
        venue="ICIP",
        year=2020,
        url="https://doi.org/10.1109/ICIP40778.2020.9190917",
        code_url="https://github.com/Vincent-Hoo/Knowledge-Distillation-for-Super-resolution",
        deviations=(
            "Only the teacher-supervision term, without the feature affinity. Published with L1 for both terms, each "
            "weighted by a half; here both use the restoration loss of the run, each weighted by one."
        ),
    )

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        restored = self.student(lesson.degraded)
        output = self.restoration_loss(restored, lesson.teacher("removal").restored)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "output": self.config.output_weight * output,
        }
