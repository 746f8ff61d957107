"""Removing Gaussian noise of standard deviation 25, as papers add it."""

from bench.datasets.degrade import UnclippedNoise
from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("denoising_sigma25")(
    Task(
        title="Colour image denoising (sigma 25)",
        train_set="bsds500",
        test_sets=("cbsd68", "kodak24", "mcmaster"),
        protocol="denoise_rgb",
        degradation=UnclippedNoise(sigma=25),
        recipe=PAPER_RECIPE,
    )
)
