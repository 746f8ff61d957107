"""Removing Gaussian noise."""

from bench.datasets.degrade import Noise
from bench.tasks.base import TASKS, Task

TASKS.register("denoising")(
    Task(
        title="Image denoising",
        degradation=Noise(sigma=(50.0, 50.0)),
        test_sets=("noise_50",),
        protocol="denoise_rgb",
    )
)
