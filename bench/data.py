"""``python -m bench data VERB``: which data sets there are, and whether their images are as they should be."""

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from bench.run import FAILED, console
from bench.tables import write

if TYPE_CHECKING:  # at run time only in commands: these import torch, which --help can do without
    from bench.datasets.base import Shelf
    from bench.datasets.verify import Finding

app = typer.Typer(no_args_is_help=True, help="Lists, checks, imports and makes data sets.")

Sets = Annotated[list[str] | None, typer.Argument(help="Data sets; all that are here if none is named.")]
Root = Annotated[Path, typer.Option(help="The folder of the embedded sets.")]
RealRoot = Annotated[Path, typer.Option("--datasets", help="The folder of the real sets.")]

EMBEDDED, REAL = Path("data"), Path("datasets")


@app.command("list")
def list_(root: Root = EMBEDDED, datasets: RealRoot = REAL) -> None:
    """Lists every declared data set: what is here, what is missing, and how much it is."""
    from bench.datasets.base import DATASETS, Shelf
    from bench.tasks.base import TASKS

    shelf = Shelf(root, datasets)
    names = [Column(title, no_wrap=True) for title in ("data set", "split", "published", "here", "MB", "protocol")]
    table = Table(*names, Column("tasks", overflow="fold"), box=None)
    for name, dataset in DATASETS.items():
        tasks = ", ".join(task for task, declared in TASKS.items() if name in (declared.train_set, *declared.test_sets))
        for split, declared in dataset.splits.items():
            found, size = _state(name, split, shelf)
            table.add_row(name, split, f"{declared.num_items:,}", found, size, dataset.protocol or "", tasks)
    console.print(table, highlight=False)
    console.print(
        "`python -m bench data where SET` tells where a set comes from and where it belongs.", highlight=False
    )


@app.command()
def where(sets: Sets = None, root: Root = EMBEDDED, datasets: RealRoot = REAL) -> None:
    """Tells where data sets belong, where they come from, in which layouts, under which licence, and what to cite."""
    from bench.datasets.base import DATASETS, Shelf

    shelf = Shelf(root, datasets)
    for name in sets or DATASETS:
        dataset = DATASETS[name]
        _print(f"{name}: {dataset.title}")
        _print(f"  folder     {shelf.place(name)}" + ("" if shelf.place(name).exists() else " (missing)"))
        for split, declared in dataset.splits.items():
            clean = f" of {declared.num_clean:,} clean ones" if declared.num_clean else ""
            _print(f"  {split:<9}  {declared.num_items:,} images{clean}")
            for layout in declared.layouts:
                _print(f"             {layout}")
        _print(f"  get it at  {'dvc pull data.dvc' if dataset.is_embedded else dataset.url}")
        _print(f"  licence    {dataset.licence}")
        _print(f"  cite       {dataset.reference}")
        _print(f"  protocol   {dataset.protocol or 'none, it is only trained on'}")
        if dataset.note:
            _print(f"  note       {dataset.note}")


@app.command()
def describe(
    results: Annotated[Path, typer.Option(help="Where the records go, in data_sets/.")] = Path("results"),
) -> None:
    """Describes the declared sets in the records of which pages and references are made: authors, terms, papers."""
    from bench.data_set_record import describe, record_path
    from bench.datasets.base import DATASETS
    from bench.record import write_record

    for name, dataset in DATASETS.items():
        write_record(record_path(results, name), describe(name, dataset))
    _print(f"{len(DATASETS)} records in {results / 'data_sets'}")


@app.command()
def verify(
    sets: Sets = None,
    is_embedded: Annotated[bool, typer.Option("--embedded", help="Check the embedded sets alone.")] = False,
    root: Root = EMBEDDED,
    datasets: RealRoot = REAL,
    sums: Annotated[
        Path | None, typer.Option(help="Write the embedded files' sha256 sums here if all is well.")
    ] = None,
) -> None:
    """Checks sets: complete, paired, readable, aligned, as pinned, and no test image among those trained on.

    Exit code 1 if there is an error; warnings and notes are for you to judge.
    """
    from bench.datasets.base import DATASETS, Shelf
    from bench.datasets.make import checksums, unpinned
    from bench.datasets.verify import Finding, check_set

    shelf = Shelf(root, datasets)
    here = [name for name, declared in DATASETS.items() if declared.is_embedded or os.path.lexists(shelf.place(name))]
    chosen = sets or [name for name in here if DATASETS[name].is_embedded or not is_embedded]
    findings: list[Finding] = []
    for name in chosen:
        found = check_set(name, shelf)
        _report(found)
        _print_digests(name, shelf)
        findings += found
    if any(DATASETS[name].is_embedded for name in chosen) and (differing := unpinned(root)):
        shown = ", ".join(differing[:5])
        findings.append(
            Finding("error", f"{len(differing)} files are not as pinned: {shown}; `dvc pull --force data.dvc`")
        )
        _report(findings[-1:])
    leaks = list(_leaks_between(chosen, shelf))
    _report(leaks)
    errors = [finding for finding in findings + leaks if finding.severity == "error"]
    if errors:
        raise typer.Exit(FAILED)
    if sums:
        write({sums: checksums(root)})
    console.print(f"checked {', '.join(chosen)}: no errors", highlight=False)


@app.command("import")
def import_(
    name: Annotated[str, typer.Argument(metavar="SET", help="A declared data set.")],
    source: Annotated[
        Path, typer.Option("--from", help="The download: a .zip, .tar, .tar.gz, .tgz or .tar.xz file, or a folder.")
    ],
    is_copy: Annotated[
        bool, typer.Option("--copy", help="Copy a folder; without it, a link to it is made. Archives are unpacked.")
    ] = False,
    datasets: RealRoot = REAL,
) -> None:
    """Puts a downloaded set where it belongs, and checks it."""
    from bench.datasets.base import DATASETS, Shelf
    from bench.datasets.placing import put
    from bench.datasets.verify import check_set

    place = Shelf(imported=datasets).place(name)
    if DATASETS[name].is_embedded:
        raise ValueError(f"{name} comes with the benchmark: `dvc pull data.dvc`")
    put(name, source, place, is_copy)
    findings = check_set(name, Shelf(imported=datasets))
    _report(findings)
    _print_digests(name, Shelf(imported=datasets))
    if any(finding.severity == "error" for finding in findings):
        remove = f"rm {'' if place.is_symlink() else '-r '}{shlex.quote(str(place))}"
        _print(f"{place}: imported with errors; mend them there, or `{remove}` and import again")
        raise typer.Exit(FAILED)
    if place.is_symlink():
        _print(f"{place}: a link to {source.resolve()}; DVC does not follow links: --copy is for `dvc add {place}`")
    else:
        _print(f"{place}: {'copied' if source.is_dir() else 'unpacked'}; to version it: dvc add {place}")


@app.command()
def make(root: Root = EMBEDDED) -> None:
    """Makes the embedded data anew, byte for byte (needs the extra `data`: `python -m pip install -e '.[data]'`)."""
    from bench.datasets.make import checksums, make_all

    make_all(root)
    root.with_name(f"{root.name}.sha256").write_text(checksums(root))


def _state(name: str, split: str, shelf: "Shelf") -> tuple[str, str]:
    """How many images of a split are here, and their megabytes."""
    try:
        items = shelf.find(name, split)
    except FileNotFoundError:
        return "missing", ""
    except ValueError:
        return "damaged: run `data verify`", ""
    paths = {picture.path for item in items for picture in item.pictures}
    return f"{len(items):,}", f"{sum(path.stat().st_size for path in paths) / 1e6:,.1f}"


def _leaks_between(names: Iterable[str], shelf: "Shelf") -> "Iterator[Finding]":
    """Test images of one checked set among the training images of another, for every task that uses the two."""
    from bench.datasets.leaks import find_leaks
    from bench.datasets.verify import Finding
    from bench.tasks.base import TASKS

    used = {(task.train_set, test_set) for task in TASKS.values() for test_set in task.test_sets}
    for train_set, test_set in sorted(used):
        if train_set == test_set or train_set not in names or test_set not in names:
            continue
        try:
            train, test = shelf.find(train_set, "train"), shelf.find(test_set, "test")
        except (FileNotFoundError, ValueError):
            continue  # reported above
        for leak in find_leaks(train, test):
            yield Finding("error", f"{train_set} and {test_set}: {leak}")


def _print_digests(name: str, shelf: "Shelf") -> None:
    from bench.datasets.base import DATASETS
    from bench.datasets.items import base_folder
    from bench.datasets.stamps import content_digest

    for split in DATASETS[name].splits:
        found, size = _state(name, split, shelf)
        if size:
            paths = {picture.path for item in shelf.find(name, split) for picture in item.pictures}
            digest = content_digest(paths, base_folder(paths))
            _print(f"{name}, {split}: {found} images, {size} MB, sha256 {digest[:16]}")


def _report(findings: "Iterable[Finding]") -> None:
    for finding in findings:
        _print(f"{finding.severity}: {finding.text}")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
