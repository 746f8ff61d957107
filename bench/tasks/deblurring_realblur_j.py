"""Removing real motion blur, RealBlur-J."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deblurring_realblur_j")(
    Task(
        title="Image deblurring (RealBlur-J)",
        train_set="realblur_j",
        test_sets=("realblur_j",),
        protocol="deblur_rgb",
        recipe=PAPER_RECIPE,
    )
)
