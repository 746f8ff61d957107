"""A method in miniature: tiny networks, random images, and the lessons of single steps."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.batch import Batch
from bench.distiller import Distiller, Lesson, Oracle, OracleLesson, Role
from bench.networks.base import NETWORKS, RestorationNetwork

Method = type[Distiller]

TOTAL_STEPS = 300
"""Length of the training of which the checks see single steps."""


class Trial:
    """A method with a tiny student and teachers, whose channels differ, and lessons on random images.

    Args:
        method: The method.
        teacher_depth: Resolutions of the teachers below the finest; the student has 2.
        is_oracle: Whether an oracle takes the place of the teachers.
        is_twin: Whether the teachers are the student.
    """

    def __init__(self, method: Method, teacher_depth: int = 2, is_oracle: bool = False, is_twin: bool = False) -> None:
        self.method = method
        self.is_oracle = is_oracle
        self.student = tiny_network(0, 4)
        teacher = self.student if is_twin else tiny_network(1, 6, teacher_depth)
        clean_teacher = self.student if is_twin else tiny_network(2, 6, teacher_depth, residual=False)
        networks: dict[Role, RestorationNetwork] = {
            "removal": teacher,
            "reconstruction": clean_teacher,
            "perceptual": tiny_network(1, 6, teacher_depth),
        }
        self.teachers = {
            role: copy.deepcopy(networks[role]).eval().requires_grad_(False) for role in method.teacher_roles
        }

    @property
    def described(self) -> dict[Role, RestorationNetwork]:
        """What the method is built with."""
        is_kept = {role: role == "perceptual" or not self.is_oracle for role in self.teachers}
        return {role: network if is_kept[role] else Oracle() for role, network in self.teachers.items()}

    def start(self, **settings: Any) -> Distiller:
        """A new distiller, the same on every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.method(copy.deepcopy(self.student), self.described, self.method.Config(**settings))

    def lesson(self, step: int = 0, shape: tuple[int, int, int] = (3, 16, 16)) -> Lesson:
        """The lesson of a step on ``(count, height, width)`` crops, the same on every call."""
        lesson = Lesson(crops(*shape), self.teachers, step, seed=0, total_steps=TOTAL_STEPS)
        return OracleLesson(lesson) if self.is_oracle else lesson


def tiny_network(seed: int, width: int, depth: int = 2, residual: bool = True) -> RestorationNetwork:
    """A NAFNet of some thousand parameters, all of which are away from their initial zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        blocks = (1,) * depth
        network = NETWORKS["nafnet"](
            width=width, encoder_blocks=blocks, middle_blocks=1, decoder_blocks=blocks, residual=residual
        )
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape)
    return network


def crops(count: int, height: int, width: int) -> Batch:
    """Random images and noisy copies."""
    generator = torch.Generator().manual_seed(height * width)
    clean = torch.rand(count, 3, height, width, generator=generator)
    return Batch((clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1), clean)


def total(terms: dict[str, Tensor]) -> Tensor:
    """The loss."""
    return torch.stack(list(terms.values())).sum()


def values(terms: dict[str, Tensor]) -> dict[str, float]:
    """The terms as numbers."""
    return {name: term.item() for name, term in terms.items()}


def trained(distiller: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that an optimiser gets."""
    return ((name, parameter) for name, parameter in distiller.named_parameters() if parameter.requires_grad)
