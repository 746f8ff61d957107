"""Removing rain after training on the Rain13K collection: one network, five test sets."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("deraining_rain13k")(
    Task(
        title="Image deraining (Rain13K)",
        train_set="rain13k",
        test_sets=("test100", "rain100h", "rain100l", "test1200", "test2800"),
        protocol="derain_y",
        recipe=PAPER_RECIPE,
    )
)
