"""Real processes, really killed: what they leave is whole, and goes on to the bits of a quiet run."""

import resource
import subprocess
import sys

from bench import run as bench_run
from bench.record import read_cells
from tests.killing import grid, outcome, run, run_until_killed

METHODS = ("scratch", "dckd", "slkd")
"""dckd has a history and a codebook, slkd running moments: state beside the student's weights."""


def test_a_killed_run_ends_in_the_bits_of_a_quiet_one(real_set, tmp_path):
    options = grid(real_set, METHODS, steps=10)
    run(options, tmp_path / "quiet")
    killed = []
    for _ in range(2):
        killed.append(run_until_killed(options, tmp_path / "killed", most_seconds=0.3))
        list(read_cells(tmp_path / "killed"))  # every record that is there can be read
    assert any(killed), "no run was killed: it takes more steps to catch one"
    run(options, tmp_path / "killed")
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "quiet")
    assert not list((tmp_path / "killed").rglob("*.tmp"))


def test_a_full_disk_fails_the_run_and_costs_nothing_that_was_written(real_set, tmp_path):
    """The kernel refuses every file that is longer than some size, as it refuses all of them on a full disk."""
    options = grid(real_set, ("scratch",), steps=3)
    run(options, tmp_path / "full")
    before = outcome(tmp_path / "full")
    more = [*options, "--set", "seeds=[0,1]"]

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-m", "bench.run", *more, "--results", str(tmp_path / "full")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == bench_run.FAILED, done.stdout + done.stderr
    assert "seed1/scratch" in done.stdout and "File too large" in done.stdout and "Traceback" not in done.stderr
    assert outcome(tmp_path / "full") == before
    assert not list(tmp_path.rglob("*.tmp"))
