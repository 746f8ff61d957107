"""PISR: the student predicts the features of a teacher that sees the clean image, and how sure it is of them."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from bench.distiller import METHODS, Distiller, Lesson, MethodConfig, Reference, Role, no_features
from bench.features import precise
from bench.networks.base import RestorationNetwork
from bench.parts import in_parts


class PISRConfig(MethodConfig):
    """Hyper-parameters of PISR.

    Attributes:
        likelihood_weight: Weight of the negative log-likelihood: 10^-6, as in the released configuration, whose images
            are in [0, 1] too.
    """

    likelihood_weight: float = Field(1e-6, gt=0)


@METHODS.register("pisr")
class PISR(Distiller):
    """The student's last features predict those of a teacher that sees the clean image, with a scale of doubt.

    The clean image is privileged: the teacher need not guess it, and so has features worth predicting. Where the
    student cannot know them, the scale lets it say so and lowers what it is asked for.

    Terms:

    - ``restoration``: the restoration loss of the student's output and the clean image, weight 1.
    - ``likelihood``: ``log(2 b) + abs(m - F_T) / b``, m and b predicted from F_S by two heads, F the finest level
      of the decoder, the teacher the reconstruction teacher; mean over all features, ``likelihood_weight`` times.
    """

    Config = PISRConfig
    config: PISRConfig
    teacher_roles: ClassVar[tuple[Role, ...]] = ("reconstruction",)
    reference = Reference(
        title="Learning with Privileged Information for Efficient Image Super-Resolution",
        authors="W. Lee, J. Lee, D. Kim, B. Ham",
        venue="ECCV",
        year=2020,
        url="https://arxiv.org/abs/2007.07524",
        code_url="https://github.com/cvlab-yonsei/PISR",
        deviations=(
            "The teacher is the reconstruction teacher of the benchmark, which has the architecture of a large "
            "student; the paper's is a network of the student's size behind an encoder that reduces the clean image "
            "to the degraded one's size, and the student starts with its weights, ours anew. The paper takes the last "
            "feature map before the reconstruction, hence the finest level of the decoder here; heads end in the "
            "teacher's number of channels. Published with L1; here the restoration loss of the run. The constant that "
            "the released code adds to the negative log-likelihood is left out: it has no gradient."
        ),
    )

    def __init__(
        self, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: PISRConfig
    ) -> None:
        super().__init__(student, teachers, config)
        ours, theirs = student.decoder_channels[0], teachers["reconstruction"].decoder_channels[0]
        self.mean, self.scale = head(ours, theirs), head(ours, theirs)

    @in_parts
    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        student, teacher = self.student.forward_features(lesson.degraded), lesson.teacher("reconstruction")
        finest = student.decoder[0]
        likelihood = laplace_loss(self.mean(finest), self.scale(finest), teacher.decoder[0])
        return {
            "restoration": self.restoration_loss(student.restored, lesson.clean),
            "likelihood": self.config.likelihood_weight * likelihood,
        }

    @classmethod
    def unsupported(cls, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork]) -> str | None:
        for name, network in (("student", student), ("reconstruction teacher", teachers["reconstruction"])):
            if network.encoder_channels and not network.decoder_channels:
                return f"it compares decoders, and the {name} has none"
        return no_features(teachers, "reconstruction")


def head(in_channels: int, out_channels: int) -> nn.Sequential:
    """A pointwise network of one hidden layer."""
    return nn.Sequential(nn.Conv2d(in_channels, in_channels, 1), nn.PReLU(), nn.Conv2d(in_channels, out_channels, 1))


def laplace_loss(mean: Tensor, scale: Tensor, target: Tensor) -> Tensor:
    """The negative log-likelihood of features under Laplace distributions, mean over all of them.

    ``log(2 b) + abs(mean - target) / b`` with ``b = 0.1 softplus(scale) + 1e-8``.

    Args:
        mean: The predicted features, ``(N, C, H, W)``.
        scale: What the scale of each is predicted by, of any sign, same shape.
        target: The teacher's features, same shape.

    References:
        W. Lee et al., "Learning with Privileged Information for Efficient Image Super-Resolution", ECCV 2020; the
        constants of b are those of the released code.
    """
    b = 0.1 * F.softplus(precise(scale)) + 1e-8
    return (torch.log(2 * b) + (precise(mean) - precise(target)).abs() / b).mean()
