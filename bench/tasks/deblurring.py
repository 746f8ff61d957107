"""Removing motion blur."""

from bench.datasets.degrade import MotionBlur
from bench.tasks.base import TASKS, Task

TASKS.register("deblurring")(
    Task(
        title="Image deblurring",
        degradation=MotionBlur(length=(4.0, 26.0)),
        test_sets=("blur_light", "blur_heavy"),
        protocol="deblur_rgb",
    )
)
