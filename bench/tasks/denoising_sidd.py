"""Removing the noise of smartphone cameras, SIDD."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("denoising_sidd")(
    Task(
        title="Image denoising (SIDD)",
        train_set="sidd",
        test_sets=("sidd",),
        protocol="denoise_rgb",
        recipe=PAPER_RECIPE,
    )
)
