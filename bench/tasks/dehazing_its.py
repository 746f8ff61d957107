"""Removing indoor haze, RESIDE's ITS."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("dehazing_its")(
    Task(
        title="Image dehazing (RESIDE indoor)",
        train_set="its",
        test_sets=("sots_indoor",),
        protocol="dehaze_rgb",
        recipe=PAPER_RECIPE,
    )
)
