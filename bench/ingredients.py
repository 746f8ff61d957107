"""What a cell is trained from: initial weights, the method with its adapters, the batches."""

from collections.abc import Mapping

import torch

from bench.batch import Batch
from bench.cell import Cell
from bench.config import Training
from bench.datasets.base import PairSource, draw_batch
from bench.distiller import METHODS, Distiller, MethodConfig, Role
from bench.networks.base import RestorationNetwork, build_network
from bench.seeding import generator


def initial_network(cell: Cell, size: str) -> RestorationNetwork:
    """The network of a cell with its seeded initial weights; a reconstruction teacher has no global residual."""
    return build_network(cell.network, size, cell.seed, residual=cell.role != "reconstruction")


def new_distiller(
    cell: Cell, student: RestorationNetwork, teachers: Mapping[Role, RestorationNetwork], config: MethodConfig
) -> Distiller:
    """A cell's method and student; the adapters' initial weights depend on the seed and the method alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator("adapters", cell.method, cell.seed).integers(2**31)))
        distiller = METHODS[cell.method](student, teachers, config)
    return distiller.to(memory_format=torch.channels_last)


def training_batch(cell: Cell, source: PairSource, training: Training, step: int) -> Batch:
    """The batch of a step, the same for all cells of a cohort; a reconstruction teacher sees the clean images."""
    batch = draw_batch(source, cell.seed, step, training.batch_size, training.crop_size)
    return Batch(batch.clean, batch.clean) if cell.role == "reconstruction" else batch
