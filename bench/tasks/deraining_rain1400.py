"""Removing the streaks of Rain1400."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deraining_rain1400")(
    Task(
        title="Image deraining (Rain1400)",
        train_set="rain1400",
        test_sets=("rain1400",),
        protocol="derain_y",
        recipe=PAPER_RECIPE,
    )
)
