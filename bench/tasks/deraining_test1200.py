"""Removing rain of three densities, DID-MDN's data."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deraining_test1200")(
    Task(
        title="Image deraining (Test1200)",
        train_set="test1200",
        test_sets=("test1200",),
        protocol="derain_y",
        recipe=PAPER_RECIPE,
    )
)
