"""Removing Gaussian noise of standard deviation 50, as papers add it."""

from bench.datasets.degrade import UnclippedNoise
from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("denoising_sigma50")(
    Task(
        title="Colour image denoising (sigma 50)",
        train_set="bsds500",
        test_sets=("cbsd68", "kodak24", "mcmaster"),
        protocol="denoise_rgb",
        degradation=UnclippedNoise(sigma=50),
        recipe=PAPER_RECIPE,
    )
)
