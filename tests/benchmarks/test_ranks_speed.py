"""Whether two processes that train together use two cores as well as one process with two threads."""

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHARE = 1 / 0.9
FEW, MANY = 20, 80
TURNS = 2
SETTINGS = ("train.batch_size=8", "train.crop_size=64", "teachers.removal.steps=3", "teachers.reconstruction.steps=3")
METHODS = ("scratch", "output_kd", "slkd")


def seconds(results: Path, num_ranks: int, threads: int, steps: int) -> float:
    """How long a small cohort takes from the start of the program to its tables."""
    settings = [*SETTINGS, f"threads={threads}", f"train.steps={steps}"]
    words = ["--profile", "smoke", "--task", "denoising", "--network", "nafnet", "--teacher", "trained"]
    words += [word for setting in settings for word in ("--set", setting)]
    words += [word for method in METHODS for word in ("--method", method)]
    start = ("-m", "torch.distributed.run", f"--nproc-per-node={num_ranks}") if num_ranks > 1 else ()
    started = time.monotonic()
    command = [sys.executable, *start, "-m", "bench.run", *words, "--results", str(results)]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


@pytest.mark.benchmark(group="ratios")
def test_two_ranks_beside_two_threads(benchmark, ratios, tmp_path):
    """By the difference of longer and shorter trainings, which have all else in common, in turns."""

    def measure():
        taken = {1: 0.0, 2: 0.0}
        for turn, num_ranks in itertools.product(range(TURNS), taken):
            for steps, sign in ((FEW, -1), (MANY, 1)):
                results = tmp_path / f"{turn}_{num_ranks}_{steps}"
                taken[num_ranks] += sign * seconds(results, num_ranks, 3 - num_ranks, steps)
        return taken[2] / taken[1]

    ratios("steps of two ranks / of one with two threads", benchmark.pedantic(measure), SHARE)
