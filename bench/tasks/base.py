"""What a restoration task is: which images to train on, which to be scored on, and how."""

from dataclasses import dataclass

from bench.config import Recipe
from bench.datasets.degrade import Degradation
from bench.registry import Registry

EMBEDDED_RECIPE = Recipe(
    steps=2000,
    batch_size=8,
    crop_size=64,
    learning_rate=1e-3,
    final_learning_rate=1e-6,
    restoration_loss="rmse",
)
"""For procedural scenes: docs/training.md has the search behind the loss."""

PAPER_RECIPE = Recipe(
    epochs=100,
    batch_size=8,
    crop_size=128,
    learning_rate=3e-4,
    final_learning_rate=1e-6,
    restoration_loss="l1",
)
"""The SLKD paper's 100 epochs, batch 8, patch 128 and cosine schedule; learning rate and loss are Restormer's."""


@dataclass(frozen=True)
class Task:
    """A restoration task.

    Attributes:
        title: As in a table's caption.
        test_sets: Data sets whose test split is scored, each by its own protocol.
        protocol: Name of the evaluation protocol; a test set of the user's own is scored by it.
        train_set: The data set whose train split is trained on.
        degradation: What images suffer in sets of clean images; None where all sets hold pairs.
        recipe: How networks are trained, complete; a grid may replace any part.
    """

    title: str
    test_sets: tuple[str, ...]
    protocol: str
    train_set: str = "scenes"
    degradation: Degradation | None = None
    recipe: Recipe = EMBEDDED_RECIPE


TASKS: Registry[Task] = Registry("task", "slkd_bench.tasks")
