"""Removing the motion blur of GoPro; HIDE and RealBlur-J show how that carries over."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deblurring_gopro")(
    Task(
        title="Image deblurring (GoPro)",
        train_set="gopro",
        test_sets=("gopro", "hide", "realblur_j"),
        protocol="deblur_rgb",
        recipe=PAPER_RECIPE,
    )
)
