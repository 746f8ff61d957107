"""``python -m bench VERB``: everything the benchmark can do from a command line."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bench import run, tables

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True, help="Makes or checks the embedded data.")
app.add_typer(data_app, name="data")
app.command("run", no_args_is_help=True)(run.run)

Profile = Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")]
ParamsFile = Annotated[Path | None, typer.Option(help="A params file of your own.")]


@app.command()
def teach(
    task: Annotated[str, typer.Option(help="The task to teach.")],
    network: Annotated[str, typer.Option(help="The network family.")],
    profile: Profile = None,
    params: ParamsFile = None,
) -> None:
    """Trains and scores the teachers that a task's and network's students ask; exit codes as those of run."""
    from bench.cell import Filters

    grid, workspace = run.open_grid(profile, params)
    run.run_and_exit(grid, workspace, Filters((task,), (network,)), is_teachers_only=True)


@app.command()
def cost(profile: Profile = None, params: ParamsFile = None) -> None:
    """Counts parameters and multiply-accumulates of a grid's networks, and writes their records."""
    from bench import complexity

    grid, workspace = run.open_grid(profile, params)
    table = Table("network", "size", "params (M)", "MACs (G), modules", "MACs (G), complete", "input", box=None)
    for r in complexity.write_records(grid.network_sizes(), workspace.results, again=True):
        counts = (f"{value:.3f}" for value in (r.params_m, r.macs_g, r.macs_complete_g))
        table.add_row(r.network, r.size, *counts, f"{r.input_size}x{r.input_size}")
    run.console.print(table, highlight=False)


@app.command()
def report(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if anything would change.")] = False,
) -> None:
    """Rebuilds every table and the generated blocks of README and docs from the records."""
    from bench import readme

    files = readme.render(Path())
    for results in readme.result_folders(Path()):
        files |= tables.render(results)
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if not check:
        tables.write({path: files[path] for path in stale})
    for path in stale:
        run.console.print(f"{'stale' if check else 'written'}: {path}", highlight=False)
    if check and stale:
        raise typer.Exit(run.FAILED)
    run.console.print(f"{len(files) - len(stale)} files up to date", highlight=False)


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
        table.add_row("network", name, f"{(network.__doc__ or '').splitlines()[0]} Sizes: {', '.join(network.sizes)}")
    for name, method in METHODS.items():
        reference = method.reference
        cited = f" ({reference.authors}, {reference.venue} {reference.year})" if reference.venue else ""
        table.add_row("method", name, reference.title + cited)
    run.console.print(table, highlight=False)


@data_app.command()
def make(
    root: Annotated[Path, typer.Option(help="The folder to write; existing images are replaced.")] = Path("data"),
) -> None:
    """Makes the embedded data anew, byte for byte (needs `pip install 'slkd-bench[data]'`)."""
    from bench.datasets.make import checksums, make_all

    make_all(root)
    root.with_name(f"{root.name}.sha256").write_text(checksums(root))


@data_app.command()
def verify(
    root: Annotated[Path, typer.Option(help="The folder to check.")] = Path("data"),
    sums: Annotated[Path | None, typer.Option(help="Write the files' sha256 sums here if all is well.")] = None,
) -> None:
    """Checks that every embedded set is complete, paired, readable and as pinned in data.sha256."""
    from bench.datasets.make import checksums
    from bench.datasets.make import verify as verify_all

    problems = verify_all(root)
    for problem in problems:
        run.console.print(problem, markup=False, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(run.FAILED)
    if sums:
        tables.write({sums: checksums(root)})
    run.console.print(f"{root}: every embedded set is complete and as pinned", highlight=False)


if __name__ == "__main__":
    run.main(app)
