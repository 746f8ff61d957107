"""``python -m bench check``: are records up to date, do methods keep their promises."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.atomic import write_atomically
from bench.cell import Filters
from bench.grid import open_grid
from bench.run import FAILED, Names, console

if TYPE_CHECKING:  # at run time only in commands: it imports torch, which --help can do without
    from bench.plan import Planner


def check(
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Examine this method: a name, or the dotted path of a module that registers one, such as "
            "my_package.my_method; repeatable.",
            show_default=False,
        ),
    ] = None,
    all_methods: Annotated[bool, typer.Option("--all-methods", help="Examine every method.")] = False,
    task: Names = None,
    network: Names = None,
    profile: Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As it was given to run; repeatable.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where the records are.", show_default="results, results/PROFILE")
    ] = None,
    code: Annotated[
        Path | None, typer.Option(help="Write the digests of the code that computes the grid here, and check nothing.")
    ] = None,
) -> None:
    """Says which records of a grid are out of date and what differs; or, with --method, whether a method is sound.

    A record is up to date while its configuration, its images, its teachers and the code that computes it are what they
    were: comments, docstrings and error messages are no such code, a constant is. A method is sound where it keeps the
    promises of Distiller: tiny networks are trained for a few steps to check gradients, state, randomness, precision,
    device, sizes, memory, and that teachers are left as they are. It says nothing of how well a method teaches. Exit
    code 1 where a record is out of date, or a promise is broken.
    """
    if method or all_methods:
        is_well = _examine(method or ())
    else:
        from bench.plan import Planner

        planner = Planner(*open_grid(profile, params, results=results, settings=set_ or ()))
        filters = Filters(task or (), network or ())
        if code:
            content = json.dumps(code_digests(planner, filters), indent=2, sort_keys=True)
            write_atomically(code, f"{content}\n".encode())
            return
        is_well = _compare(planner, filters)
    if not is_well:
        raise typer.Exit(FAILED)


def code_digests(planner: "Planner", filters: Filters) -> dict[str, str]:
    """Digests of all code that computes a grid's cells and their scores, by module."""
    from bench.fingerprint import fingerprint

    roots = set()
    for cell in (cell for cohort in planner.cohorts(filters) for cell in cohort.cells):
        roots |= {*planner.training_code(cell), *planner.method_code(cell)}
        roots |= {root for name in planner.data(cell.task).test_sets for root in planner.scoring_code(cell, name)}
    return fingerprint(*roots)


def _compare(planner: "Planner", filters: Filters) -> bool:
    """Prints which cells are out of date; returns whether none is."""
    from bench.judge import plans

    judged = [plan for cohort in plans(planner, planner.cohorts(filters)) for plan in cohort]
    stale = [plan for plan in judged if plan.status != "up to date"]
    for plan in stale:
        _print(f"{plan.cell.path}: {', '.join(plan.changes) or 'there is no record'}")
    _print(f"{len(judged) - len(stale)} of {len(judged)} cells up to date")
    return not stale


def _examine(names: list[str] | tuple[()]) -> bool:
    """Runs the conformance checks over methods and prints what they found; returns whether all is well."""
    from bench.conformance import CHECKS, examine
    from bench.distiller import METHODS

    is_well = True
    for name in METHODS.resolve(names or METHODS):
        failed = [finding for finding in examine(METHODS[name]) if finding.problem]
        is_well = is_well and not failed
        _print(f"{name}: {len(CHECKS) - len(failed)} of {len(CHECKS)} checks passed")
        for finding in failed:
            _print(f"  {finding.check}: {finding.problem}\n    promised: {finding.promise}")
    return is_well


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
