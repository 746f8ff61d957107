"""Removing the light rain of Rain100L."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deraining_rain100l")(
    Task(
        title="Image deraining (Rain100L)",
        train_set="rain100l",
        test_sets=("rain100l",),
        protocol="derain_y",
        recipe=PAPER_RECIPE,
    )
)
