"""Removing haze."""

from bench.datasets.degrade import Haze
from bench.tasks.base import TASKS, Task

TASKS.register("dehazing")(
    Task(
        title="Image dehazing",
        degradation=Haze(beta=(0.5, 2.0)),
        test_sets=("haze",),
        protocol="dehaze_rgb",
    )
)
