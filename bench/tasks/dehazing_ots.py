"""Removing outdoor haze, RESIDE's OTS; RTTS is real and has no clean images."""

from bench.tasks.base import PAPER_RECIPE, TASKS, Task

TASKS.register("dehazing_ots")(
    Task(
        title="Image dehazing (RESIDE outdoor)",
        train_set="ots",
        test_sets=("sots_outdoor", "rtts"),
        protocol="dehaze_rgb",
        recipe=PAPER_RECIPE,
    )
)
