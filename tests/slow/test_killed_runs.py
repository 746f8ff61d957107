"""Every method, killed again and again at random steps."""

import pytest

from bench.distiller import METHODS
from bench.record import read_cells
from tests.killing import grid, outcome, run, run_until_killed

pytestmark = pytest.mark.slow


def test_every_method_goes_on_in_the_same_bits_after_kills(real_set, tmp_path):
    options = grid(real_set, METHODS, steps=12, teacher=("trained", "oracle"))
    run(options, tmp_path / "quiet")
    killed = [run_until_killed(options, tmp_path / "killed", most_seconds=4) for _ in range(8)]
    assert sum(killed) > 3
    run(options, tmp_path / "killed")
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "quiet")
    assert {record.method for record in read_cells(tmp_path / "killed")} == set(METHODS)
