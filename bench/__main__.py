"""``python -m bench VERB``: everything the benchmark can do from a command line."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bench import budget, check, crops, data, explain, export, metric_commands, profile, report, run, score
from bench.cost_table import cost_table
from bench.grid import open_grid, open_recorded
from bench.record import write_record

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(data.app, name="data")
app.command("run", no_args_is_help=True)(run.run)
app.command(no_args_is_help=True)(score.evaluate)
app.command(no_args_is_help=True)(explain.explain)
app.command()(check.check)
app.command()(crops.crops)
app.command(no_args_is_help=True)(export.export)
app.command(no_args_is_help=True)(profile.profile)
app.command(no_args_is_help=True)(budget.budget)
app.command()(report.report)
app.add_typer(metric_commands.app, name="metrics")

Profile = Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")]
ParamsFile = Annotated[Path | None, typer.Option(help="A params file of your own.")]


@app.command()
def teach(
    task: Annotated[str, typer.Option(help="The task to teach.")],
    network: Annotated[
        str | None, typer.Option(help="The network family of the students; read off the weights where left out.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Import this official checkpoint as the removal teacher; nothing is trained.")
    ] = None,
    source: Annotated[str, typer.Option(help="Where the weights come from, such as a URL; kept in the record.")] = "",
    spandrel: Annotated[
        bool, typer.Option("--spandrel", help="Let the library spandrel load them: any network, known by output only.")
    ] = False,
    profile: Profile = None,
    params: ParamsFile = None,
    data_root: Annotated[Path | None, typer.Option(help="Train and test on the paired images in this folder.")] = None,
    test_root: Annotated[Path | None, typer.Option(help="Score on the paired images in this folder.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE replaces a parameter; repeatable.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where records and tables go.", show_default="results, results/PROFILE")
    ] = None,
) -> None:
    """Trains and scores the teachers of a task's and network's students, or imports one; exit codes as those of run."""
    from bench.cell import Filters
    from bench.teach import import_teacher

    grid, workspace = open_grid(profile, params, data_root, test_root, results, set_ or ())
    if weights is None:
        if network is None or source or spandrel:
            raise ValueError("name the --network to train teachers for, or the file to import with --weights")
        run.exit_with(lambda: run.run_grid(grid, workspace, Filters((task,), (network,)), is_teachers_only=True))
    else:
        run.exit_with(lambda: import_teacher(weights, grid, workspace, task, network, source, spandrel))


@app.command()
def verify(
    cell: Annotated[
        str, typer.Argument(metavar="CELL", help="A cell such as denoising/nafnet/seed0/slkd, or a record of one.")
    ],
    teachers: Annotated[
        bool, typer.Option("--teachers", help="Train its teachers again, too, though their weights are here.")
    ] = False,
    profile: Profile = None,
    params: ParamsFile = None,
    results: Annotated[
        Path | None, typer.Option(help="Where its records are.", show_default="results, results/PROFILE")
    ] = None,
) -> None:
    """Trains and scores a cell again, in a temporary folder, and compares every bit with its records.

    The grid is the one that the record tells; of records that do not tell, that of --profile or --params. Exit codes: 0
    everything is the same, 1 something differs, which is listed.
    """
    import tempfile

    from bench.verify import verify

    records, grid, workspace = open_recorded(cell, profile, params, results)
    with tempfile.TemporaryDirectory() as scratch:
        comparisons = verify(records, grid, workspace, Path(scratch), teachers)
    for comparison in comparisons:
        verdict = "differs" if comparison.differing else "reproduced, every bit"
        lines = [f"{comparison.path}: {verdict}", *(f"  {text}" for text in comparison.differing)]
        if comparison.differing:
            lines += [f"  not as it was: {text}" for text in comparison.conditions]
        run.console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    if any(comparison.differing for comparison in comparisons):
        raise typer.Exit(run.FAILED)


@app.command()
def cost(
    network: Annotated[
        list[str] | None,
        typer.Option(help="This family instead of the grid's networks; repeatable.", show_default=False),
    ] = None,
    preset: Annotated[
        list[str] | None, typer.Option(help="With --network: only this size preset; repeatable.", show_default=False)
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Side of the square input image, in pixels.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="Images of a forward pass that is timed.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of a pass.", show_default="the grid's")
    ] = None,
    profile: Profile = None,
    params: ParamsFile = None,
    results: Annotated[
        Path | None, typer.Option(help="Where records go; without it, those of --network are only printed.")
    ] = None,
) -> None:
    """Counts parameters, MACs and activations of networks, and measures time and memory of a forward pass."""
    import torch

    from bench import complexity

    if preset and not network:
        raise ValueError("--preset chooses among the size presets of a family: name the family with --network")
    grid, workspace = open_grid(profile, params, results=results)
    torch.set_num_threads(threads or grid.threads)
    sizes = complexity.presets(network, preset or ()) if network else grid.network_sizes()
    records = []
    for names in sizes:
        run.log.info("measuring %s %s", *names)
        records.append(complexity.measure(*names, size, batch))
    for record in records if results or not network else ():
        write_record(complexity.record_path(workspace.results, record.network, record.size), record)
    run.console.print(cost_table(records).markdown(), markup=False, highlight=False, soft_wrap=True)


@app.command()
def methods(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure what a step costs, beside one of scratch.")
    ] = False,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="A method's name, or the dotted path of a module; repeatable.",
            show_default="all but variants of another",
        ),
    ] = None,
    network: Annotated[str, typer.Option(help="The network family of the steps.")] = "nafnet",
    teacher: Annotated[str, typer.Option(help="The teachers' size preset.")] = "mini",
    student: Annotated[str, typer.Option(help="The student's size preset.")] = "micro",
    batch: Annotated[int, typer.Option(min=1, help="Crops of a step.")] = 8,
    crop_size: Annotated[int, typer.Option(min=16, help="Side of the crops, in pixels.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the methods take turns.")] = 9,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    results: Annotated[Path, typer.Option(help="Where the records go, in methods/.")] = Path("results"),
) -> None:
    """Describes methods in the records from which docs/methods.md is rendered, and measures what a step costs.

    Idea, terms and deviations are those of the classes. Without --measure, records keep the costs that they have.
    """
    import torch

    from bench import method_record, step_cost
    from bench.distiller import METHODS

    names = METHODS.resolve(method) if method else step_cost.published_methods()
    for name in names:
        step_cost.describe(name)  # fails before minutes of measuring, not after
    torch.set_num_threads(threads)
    setting = step_cost.Setting(network, teacher, student, batch, crop_size)
    measured = step_cost.measure(names, setting, rounds) if measure else {}
    for name in names:
        path = method_record.record_path(results, name)
        kept = method_record.read_method(path).costs if path.exists() else ()
        costs = [cost for cost in kept if name not in measured or not step_cost.is_of(cost, setting)]
        write_record(path, step_cost.describe(name, [*costs, *([measured[name]] if name in measured else [])]))
    table = method_record.method_table(method_record.read_methods(results))
    run.console.print(table.markdown(), markup=False, highlight=False, soft_wrap=True)


@app.command("list")
def list_() -> None:
    """Lists tasks, data sets, networks and methods."""
    from bench.datasets.base import DATASETS
    from bench.distiller import METHODS
    from bench.networks.base import NETWORKS
    from bench.tasks.base import TASKS

    table = Table("kind", "name", "about", box=None)
    for name, task in TASKS.items():
        table.add_row("task", name, f"{task.title}; test sets {', '.join(task.test_sets)}; protocol {task.protocol}")
    for name, dataset in DATASETS.items():
        table.add_row("data set", name, f"{dataset.title} ({dataset.licence})")
    for name, network in NETWORKS.items():
        about = (network.__doc__ or "").splitlines()[0]
        releases = f" Official weights: {', '.join(network.releases)}" if network.releases else ""
        table.add_row("network", name, f"{about} Sizes: {', '.join(network.sizes)}.{releases}")
    for name, method in METHODS.items():
        reference = method.reference
        cited = f" ({reference.authors}, {reference.venue} {reference.year})" if reference.venue else ""
        table.add_row("method", name, reference.title + cited)
    run.console.print(table, highlight=False)


if __name__ == "__main__":
    run.main(app)
