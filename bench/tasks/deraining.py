"""Removing rain streaks."""

from bench.datasets.degrade import Rain
from bench.tasks.base import TASKS, Task

TASKS.register("deraining")(
    Task(
        title="Image deraining",
        degradation=Rain(density=(10.0, 50.0), brightness=(0.15, 0.55)),
        test_sets=("rain_light", "rain_heavy"),
        protocol="derain_y",
    )
)
