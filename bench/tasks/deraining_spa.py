"""Removing real rain, SPA-Data."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deraining_spa")(
    Task(
        title="Image deraining (SPA-Data)",
        train_set="spa_data",
        test_sets=("spa_data",),
        protocol="derain_y",
        recipe=PAPER_RECIPE,
    )
)
