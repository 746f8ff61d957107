"""``python -m bench.run``: trains and scores the cells of a grid, and prints its tables."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.logging import RichHandler

from bench.cell import Filters, Workspace
from bench.config import Params, digest
from bench.grid import key_and_value, open_grid, with_methods, with_teachers
from bench.jobs import as_arguments, group, run_jobs
from bench.ledger import Ledger
from bench.lifeline import follow_parents
from bench.registry import UnknownNameError

if TYPE_CHECKING:
    from bench.judge import Plan
    from bench.plan import Planner
    from bench.ranks import Ranks

console = Console()
log = logging.getLogger(__name__)

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes beside 0: some cells failed; the request could not be understood; stopped by a signal."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


Names = Annotated[list[str] | None, typer.Option(help="Only this one; repeatable.", show_default=False)]


@app.command(no_args_is_help=True)
def run(
    task: Names = None,
    network: Names = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this one; repeatable. A dotted path, my_package.my_method, is imported and joins the grid.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Only this one; repeatable.", show_default=False)] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="Whom students ask: trained, or oracle: the clean image in the teacher's place, the control of every "
            "method with an output-level term; repeatable.",
            show_default="the grid's",
        ),
    ] = None,
    ablation: Annotated[
        bool,
        typer.Option("--ablation", help="Run SLKD, its ablations and their controls: --all of configs/ablation.yaml."),
    ] = False,
    all_cells: Annotated[bool, typer.Option("--all", help="Run every cell of the grid.")] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            help="configs/PROFILE.yaml instead of params.yaml: smoke, quick, baselines, ablation, ablation_real, real, "
            "paper or your own."
        ),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Train and test on the paired images in this folder.")] = None,
    test_root: Annotated[Path | None, typer.Option(help="Score on the paired images in this folder.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE replaces a parameter, as in train.steps=9; repeatable.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where records and tables go.", show_default="results, results/PROFILE")
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast/--keep-going", help="Stop at the first failure, or go on with the other cells.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes that share the cells, each with the grid's threads.")
    ] = 1,
    executor: Annotated[
        Literal["local", "slurm"],
        typer.Option(help="Where cells run: here, or each cohort as a job of a Slurm cluster."),
    ] = "local",
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE asks Slurm for something, as in time=240 (minutes), partition=gpu; repeatable.",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the jobs in Slurm to their end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the cells, what each would do, and why.")] = False,
) -> None:
    """Trains and scores cells of the grid; what is up to date is left alone, what was stopped goes on.

    Choose --all, --ablation, or any of --task, --network, --method and --seed. Exit codes: 0 success, 1 some cells
    failed, 2 the request was not understood or its images cannot be used, 130 stopped by a signal (finished cells stay,
    the others resume).
    """
    if not (all_cells or ablation or task or network or method or seed):
        raise typer.BadParameter("nothing is selected: choose --all or filter by --task, --network, --method or --seed")
    if ablation:
        if profile or params:
            raise ValueError("--ablation is the grid of configs/ablation.yaml; leave out --profile and --params")
        profile = "ablation"
    grid, workspace = open_grid(profile, params, data_root, test_root, results, set_ or ())
    if teacher:
        grid = with_teachers(grid, teacher)
    grid, methods = with_methods(grid, method or ())
    filters = Filters(task or (), network or (), methods, seed or ())
    if (data_root or test_root) and len(task or grid.tasks) != 1:
        raise ValueError("a data set on disk belongs to one task: choose it with --task")
    if _num_ranks() > 1 and (jobs > 1 or executor == "slurm"):
        raise ValueError("torchrun starts the processes that train together: leave out -j and --executor slurm")
    if executor == "local" and (slurm or watch):
        raise ValueError("--slurm and --watch are for --executor slurm")
    if dry_run:
        _show(grid, workspace, filters)
    elif executor == "slurm":
        rest = as_arguments({"--method": method, "--teacher": teacher, "--fail-fast": fail_fast})
        asked = {"cpus_per_task": grid.threads} | dict(
            key_and_value("--slurm", setting, "time=240") for setting in slurm or ()
        )
        exit_with(lambda: _submit(grid, workspace, filters, rest, asked, watch))
    elif jobs == 1:
        exit_with(lambda: run_grid(grid, workspace, filters, is_fail_fast=fail_fast))
    else:
        options = {
            "--task": task, "--network": network, "--method": method, "--seed": seed, "--teacher": teacher,
            "--profile": profile, "--params": params, "--data-root": data_root, "--test-root": test_root, "--set": set_,
            "--results": results, "--all": all_cells or ablation, "--fail-fast": fail_fast,
        }  # fmt: skip
        exit_with(lambda: _share(jobs, as_arguments(options), grid, workspace, filters, fail_fast))


def _share(
    count: int, arguments: Sequence[str], grid: Params, workspace: Workspace, filters: Filters, is_fail_fast: bool
) -> dict[str, Exception]:
    """Has several processes run the chosen cells, and shows the tables; what failed they have named themselves."""
    if count * grid.threads > (present := os.cpu_count() or 1):
        log.warning("%d processes of %d threads on %d CPUs will wait for one another", count, grid.threads, present)
    follow_parents()
    codes = run_jobs(count, arguments, show, is_fail_fast, _gpus() if grid.device == "cuda" else ())
    for code in (USAGE, FAILED, INTERRUPTED):
        if code in codes:
            write_tables(workspace.results)
            raise typer.Exit(code)
    return run_grid(grid, workspace, filters)  # shows the tables; where a process was killed, does what that has left


def _gpus() -> list[str]:
    """The GPUs that this process may use, by the names that ``CUDA_VISIBLE_DEVICES`` has for them."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]


def _submit(
    grid: Params,
    workspace: Workspace,
    filters: Filters,
    options: Sequence[str],
    asked: dict[str, Any],
    is_watching: bool,
) -> dict[str, Exception]:
    """Has a cluster run the chosen cells; to its end, with the tables, where it is watched."""
    from bench import judge
    from bench.plan import Planner
    from bench.preflight import check_data
    from bench.slurm import Cluster
    from bench.watch import watch

    cluster, planner = Cluster(workspace, options, asked), Planner(grid, workspace)
    plans = judge.plans(planner, planner.cohorts(filters))
    check_data(plans, planner)
    jobs = cluster.submit(plan for cohort in plans for plan in cohort)
    show(f"{len(jobs)} jobs; their output: {cluster.output}; the same command with --watch follows them")
    if not is_watching:
        for job, cohort in jobs.items():
            show(f"{cohort}: job {job}")
        return {}
    watch(jobs, workspace.log, show)
    plans = judge.plans(planner, planner.cohorts(filters))
    left = [plan.cell for cohort in plans for plan in cohort if plan.status != "up to date"]
    missing = {cell.path: RuntimeError(f"no record; see {cluster.logs(cell, jobs)}") for cell in left}
    return missing | write_tables(workspace.results)


def exit_with(work: Callable[[], dict[str, Exception]]) -> None:
    """Does some work, names the cells that failed, and exits with the code that says how it went."""
    try:
        failures = work()
    except KeyboardInterrupt:
        log.warning("stopped: what is finished is kept, the rest goes on with the same command")
        raise typer.Exit(INTERRUPTED) from None
    for path, error in failures.items():
        log.error("failed: %s: %s", path, "; ".join([str(error), *getattr(error, "__notes__", ())]))
    if failures:
        log.error("failures: %d; what is finished is kept, the same command tries again", len(failures))
        raise typer.Exit(FAILED)


def run_grid(
    grid: Params,
    workspace: Workspace,
    filters: Filters,
    is_teachers_only: bool = False,
    is_fail_fast: bool = False,
) -> dict[str, Exception]:
    """Runs the chosen cells and writes the tables; returns the failures by the cell's path.

    Of the ranks that ``torchrun`` starts, the first does; the others train with it.
    """
    follow_parents()
    if _num_ranks() == 1:
        return _run_grid(grid, workspace, filters, is_teachers_only, is_fail_fast)
    from bench.ranks import joined

    with joined(grid.device) as ranks:
        if ranks.rank:
            return _follow(grid, workspace, ranks)
        return _run_grid(grid, workspace, filters, is_teachers_only, is_fail_fast, ranks)


def _num_ranks() -> int:
    """How many processes ``torchrun`` has started to train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _follow(grid: Params, workspace: Workspace, ranks: "Ranks") -> dict[str, Exception]:
    """Trains with the first rank, which reports."""
    import torch

    from bench.cohort import follow
    from bench.plan import Planner
    from bench.progress import StepProgress

    torch.set_num_threads(grid.threads)
    logging.getLogger().setLevel(logging.WARNING)  # the first rank tells of the steps
    with StepProgress(0, 0, Console(quiet=True)) as progress:
        follow(Planner(grid, workspace), progress, ranks)
    return {}


def _run_grid(
    grid: Params,
    workspace: Workspace,
    filters: Filters,
    is_teachers_only: bool,
    is_fail_fast: bool,
    ranks: "Ranks | None" = None,
) -> dict[str, Exception]:
    request = digest(repr((grid, filters, is_teachers_only)))
    if Ledger(grid, workspace).is_settled(request):
        show_tables(workspace.results)
        return {}
    from bench import judge
    from bench.agreement import check_expected
    from bench.plan import Planner
    from bench.preflight import check_data, check_shares

    planner = Planner(grid, workspace)
    cohorts = [c for c in planner.cohorts(filters) if not (is_teachers_only and c.cells[0].role == "student")]
    plans = judge.plans(planner, cohorts, is_teachers_only)
    check_expected(plan for cohort in plans for plan in cohort)
    check_shares(plans, planner, _num_ranks())
    check_data(plans, planner)
    failures = run_plans(plans, planner, is_fail_fast, ranks)
    if any(plan.status != "up to date" for cohort in plans for plan in cohort):
        plans = judge.plans(planner, cohorts, is_teachers_only)
    if not group() and not failures and all(plan.status == "up to date" for cohort in plans for plan in cohort):
        cells = [cell for cohort in cohorts for cell in cohort.cells]
        weights = {workspace.checkpoint(cell) for cell in cells if is_teachers_only}
        tables = (workspace.results / "tables").glob("*")
        planner.ledger.settle(request, (cell.path for cell in cells), weights.union(tables))
    return failures


def run_plans(
    plans: "Sequence[Sequence[Plan]]", planner: "Planner", is_fail_fast: bool = False, ranks: "Ranks | None" = None
) -> dict[str, Exception]:
    """Does what is planned, cohort by cohort, and writes the tables; returns the failures by the cell's path.

    Raises:
        ValueError: The grid's device, or its compiler, cannot be had.
    """
    import torch

    from bench import complexity
    from bench.progress import StepProgress
    from bench.schedule import Schedule

    workspace = planner.workspace
    torch.set_num_threads(planner.params.threads)
    if any(plan.status in ("run", "resume") for cohort in plans for plan in cohort):
        planner.device.prepare()
    steps = [sum(plan.steps_left for plan in cohort) for cohort in plans]
    with StepProgress(sum(map(bool, steps)), sum(steps), console) as progress:
        schedule = Schedule(planner, progress, is_fail_fast, ranks)
        schedule.carry_out(plans)
    for cell in {plan.cell for cohort in plans for plan in cohort}:
        complexity.keep_record(workspace.results, cell.network, planner.size(cell), partial(planner.build, cell))
    for cell, error in schedule.failures.items():
        error.add_note(f"log: {schedule.log_file(cell)}")
    return {cell.path: error for cell, error in schedule.failures.items()} | write_tables(workspace.results)


def write_tables(results: Path) -> dict[str, Exception]:
    """Writes and prints the tables of a results folder; one of several jobs leaves that to who began them.

    Returns:
        Why some records are in no table, if there are any.
    """
    from bench import tables

    if group():
        return {}
    files = tables.render(results)
    tables.write(files)
    show_tables(results)
    return {"tables": ValueError("\n  ".join(reasons))} if (reasons := tables.refused(files)) else {}


def show_tables(results: Path) -> None:
    """Prints the tables of a results folder, and where they are."""
    for path in sorted((results / "tables").glob("*.md")):
        show(path.read_text(encoding="utf-8"))
    show(f"tables: {results / 'tables'}   records: {results / 'cells'}")


def show(text: str) -> None:
    """Prints what is neither to be wrapped nor coloured."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _show(grid: Params, workspace: Workspace, filters: Filters) -> None:
    """Prints what a run would do with each cell, and what that would take; tasks may lack their data."""
    from bench import judge
    from bench.estimate import estimate
    from bench.plan import Planner

    planner = Planner(grid, workspace)
    cohorts = planner.cohorts(filters)
    missing = {task: planner.data(task).missing() for task in dict.fromkeys(c.cells[0].task for c in cohorts)}
    planned = judge.plans(planner, [cohort for cohort in cohorts if not missing[cohort.cells[0].task]])
    rows = [("cell", "would", "detail")]
    rows += [(plan.cell.path, plan.status, plan.text) for cohort in planned for plan in cohort]
    lacking = (cell for cohort in cohorts for cell in cohort.cells if missing[cell.task])
    rows += [(cell.path, "lacks data", f"{planner.training(cell).steps:,} steps") for cell in lacking]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = (f"{cell:{widths[0]}}  {would:{widths[1]}}  {detail}".rstrip() for cell, would, detail in rows)
    show("\n".join(lines))
    for reason in dict.fromkeys(reason for reasons in missing.values() for reason in reasons):
        show(f"missing: {reason}")
    left = {plan.cell: plan.steps_left for cohort in planned for plan in cohort}
    for line in estimate(cohorts, planner, left):
        show(line)


def main(application: typer.Typer = app) -> None:
    """Runs a command line; turns bad input into a message and an exit code."""
    clock = "%H:%M:%S"
    handler: logging.Handler = RichHandler(console=console, show_path=False, show_level=False, log_time_format=clock)
    if not console.is_terminal:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", clock))
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        application()
    except (UnknownNameError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
