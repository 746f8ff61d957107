from pathlib import Path

import pytest

from bench.cell import Cell, Filters, Workspace, expand
from bench.registry import UnknownNameError


def test_a_cohort_differs_in_the_method_only(make_params):
    cohorts = list(expand(make_params(tasks=["deraining", "denoising"], seeds=[0, 7])))
    assert len(cohorts) == 4
    for cohort in cohorts:
        assert len({(c.task, c.network, c.seed) for c in cohort.cells}) == 1
        assert [c.method for c in cohort.cells] == list(make_params().methods)


def test_filters_keep_the_grid_s_order(make_params):
    (cohort,) = expand(make_params(seeds=[0, 7]), Filters(methods=("slkd", "scratch"), seeds=(7,)))
    assert [(c.method, c.seed) for c in cohort.cells] == [("scratch", 7), ("slkd", 7)]


@pytest.mark.parametrize(
    ("filters", "message"),
    [(Filters(tasks=("denoisin",)), "'denoising'"), (Filters(seeds=(3,)), "seed of this grid '3'")],
)
def test_a_filter_outside_the_grid_is_refused(make_params, filters, message):
    with pytest.raises(UnknownNameError, match=message):
        list(expand(make_params(), filters))


def test_files_of_two_cells_never_meet(workspace):
    cells = [
        Cell("t", "n", "scratch", 0), Cell("t", "n", "scratch", 1), Cell("t", "n", "slkd", 0),
        Cell("t", "n", "scratch", 0, "removal"), Cell("t", "n", "scratch", 0, "reconstruction"),
    ]  # fmt: skip
    assert len({workspace.record(cell, "s") for cell in cells}) == len(cells)
    assert len({workspace.checkpoint(cell) for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("arguments", "results", "runs"),
    [
        (("default",), "results", "runs/default"),
        (("quick",), "results/quick", "runs/quick"),
        (("default_mine",), "results/default_mine", "runs/default_mine"),
        (("quick", None, "sots"), "results/quick_on_sots", "runs/quick"),
        (("quick", Path("a/b")), "a/b", "a/b/runs"),
    ],
)
def test_where_a_profile_keeps_its_files(arguments, results, runs):
    found = Workspace.of(*arguments)
    assert (found.results, found.runs) == (Path(results), Path(runs))
