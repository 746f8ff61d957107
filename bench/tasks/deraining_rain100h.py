"""Removing the heavy rain of Rain100H; Rain12 shows how that carries over."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deraining_rain100h")(
    Task(
        title="Image deraining (Rain100H)",
        train_set="rain100h",
        test_sets=("rain100h", "rain12"),
        protocol="derain_y",
        recipe=PAPER_RECIPE,
    )
)
