"""``python -m bench export``: a trained network as files that run without this benchmark, with a model card."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.atomic import write_atomically
from bench.cell import Cell, cell_of, teacher_cell
from bench.data_set_record import describe as describe_data_set
from bench.export_record import ExportedFile, ExportRecord, Quantisation
from bench.grid import open_recorded
from bench.record import CellRecord, NetworkRecord, read_cell, read_networks, write_record
from bench.run import console

if TYPE_CHECKING:  # at run time only in the command: these import torch, which --help can do without
    from torch import Tensor

    from bench.networks.base import RestorationNetwork
    from bench.plan import Planner

RECORD = "export.json"
CALIBRATION_STEPS = 16
"""Training batches on which the ranges of activations are measured."""
METRIC = "psnr_db"


def export(
    cell: Annotated[
        str, typer.Argument(metavar="CELL", help="A cell such as denoising/nafnet/seed0/slkd, or a record of one.")
    ],
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="onnx, torchscript or safetensors; repeatable.", show_default="all"),
    ] = None,
    eight_bits: Annotated[
        bool, typer.Option("--int8", help="An ONNX file in eight bits, too, where it loses no more than --most-loss.")
    ] = False,
    most_loss: Annotated[float, typer.Option(min=0, help="PSNR that eight bits may lose, in dB.")] = 0.1,
    size: Annotated[int, typer.Option(min=16, help="Side of the image that is timed, in pixels.")] = 256,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of the timed runs.", show_default="the grid's")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="configs/PROFILE.yaml instead of params.yaml.")] = None,
    params: Annotated[Path | None, typer.Option(help="A params file of your own.")] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where its records are.", show_default="results, results/PROFILE")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the files.", show_default="exports/CELL")] = None,
) -> None:
    """Writes the trained network of a CELL as ONNX, TorchScript or safetensors, with a model card and latencies.

    Files take images of any size; each is compared with the network in PyTorch (1e-4 of the range), or is not kept. The
    trained weights must be here, and be those on record. With --int8, PSNR is compared on images that are in no test
    set. What an earlier export left in the folder is replaced when everything is done.
    """
    import torch

    from bench import deploy
    from bench.plan import Planner

    formats = list(dict.fromkeys(format_ or deploy.FORMATS))
    for name in formats:
        deploy.format_of(name)
    if eight_bits and "onnx" not in formats:
        raise ValueError("--int8 is made from the ONNX file: add --format onnx")
    paths, grid, workspace = open_recorded(cell, profile, params, results)
    scored = {path: read_cell(path) for path in sorted(paths[0].parent.glob("*.json"))}
    one = cell_of(next(iter(scored.values())))
    torch.set_num_threads(threads or grid.threads)
    planner = Planner(grid, workspace)
    folder = out or Path("exports") / one.path
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            record = _make(one, scored, planner, formats, most_loss if eight_bits else None, size, Path(scratch))
        except ModuleNotFoundError as error:
            raise ValueError(f"this export needs the package {error.name}: {deploy.EXTRA}") from error
        _keep(record, _card(record, one, scored, planner), Path(scratch), folder)
    _print("\n".join(_lines(record, folder)))


def _make(
    cell: Cell,
    scored: Mapping[Path, CellRecord],
    planner: "Planner",
    formats: Sequence[str],
    most_loss: float | None,
    side: int,
    scratch: Path,
) -> ExportRecord:
    """Writes, checks and times the files of a cell; with ``most_loss``, in eight bits, too."""
    import torch

    from bench import deploy
    from bench.networks.base import weights_digest
    from bench.provenance import provenance

    network = _network(cell, next(iter(scored.values())), planner)
    sha256 = weights_digest(network)
    licence = "as their publisher says" if planner.imported(cell) else "Apache-2.0"
    about = {"cell": cell.path, "weights_sha256": sha256, "licence": licence}
    files, cost = deploy.write(network, formats, scratch, about), None
    if most_loss is not None:
        eight_bits, cost = _quantise(network, cell, planner, scratch, most_loss)
        files += [eight_bits] if cost.is_kept else []
    return ExportRecord(
        cell=cell.path,
        network=cell.network,
        size=planner.size(cell),
        weights_sha256=sha256,
        size_multiple=network.size_multiple,
        files=tuple(files),
        int8=cost,
        input_size=side,
        threads=torch.get_num_threads(),
        device=provenance()["processor"],
        timings=tuple(deploy.time_all(network, files, scratch, side)),
    )


def _card(record: ExportRecord, cell: Cell, scored: Mapping[Path, CellRecord], planner: "Planner") -> str:
    from bench.deploy.card import card

    beside = list(_beside(cell, planner))
    costs = _costs([*scored.values(), *beside], planner.workspace.results)
    return card(record, scored, beside, costs, _words(cell, planner))


def _keep(record: ExportRecord, card: str, scratch: Path, folder: Path) -> None:
    """Puts finished files in place, and takes away those of an earlier export, which the card would not be of."""
    from bench.deploy import FORMATS, int8
    from bench.deploy.card import FILE

    written = {file.file for file in record.files}
    for name in written:
        write_atomically(folder / name, (scratch / name).read_bytes())
    for name in {int8.FILE, *(kind.FILE for kind in FORMATS.values())} - written:
        (folder / name).unlink(missing_ok=True)
    write_atomically(folder / FILE, card.encode())
    write_record(folder / RECORD, record)


def _lines(record: ExportRecord, folder: Path) -> Iterator[str]:
    for file in record.files:
        size = f"{file.num_bytes / 1e6:.2f} MB"
        yield f"{folder / file.file}: {size}, at most {file.largest_difference:.1e} from the network in PyTorch"
    if found := record.int8:
        lost = f"{found.psnr_db - found.int8_psnr_db:.2f} dB lost on {found.images}, {found.most_loss_db:g} allowed"
        yield f"int8: {lost}{'' if found.is_kept else ': not kept'}"
    for timing in record.timings:
        yield f"{timing.latency_ms:8.1f} ms  {timing.runtime} {timing.version}  {timing.file or 'in PyTorch'}"
    yield f"model card: {folder / 'README.md'}   record: {folder / RECORD}"


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _network(cell: Cell, record: CellRecord, planner: "Planner") -> "RestorationNetwork":
    """The trained network of a cell.

    Raises:
        FileNotFoundError: Its weights are not here; the message has the command that makes them.
        ValueError: They are not those on record, or of a network that restores nothing.
    """
    from bench.cohort import load_network
    from bench.networks.base import weights_digest

    if cell.role == "reconstruction":
        raise ValueError(f"{cell.path}: this teacher is shown clean images and restores nothing; export another")
    imported = planner.imported(cell)
    if imported and imported.loader == "spandrel":
        raise ValueError(f"{cell.path}: the library spandrel loaded {imported.file}; export it with what it comes from")
    network = load_network(cell, planner)
    if record.weights_sha256 not in ("", weights_digest(network)):
        folder = planner.workspace.results / "cells" / cell.path
        raise ValueError(
            f"{cell.path}: the weights that are here are not those on record, so that its scores are not theirs; "
            f"delete {folder}, then: {planner.workspace.command(cell)}"
        )
    return network


def _quantise(
    network: "RestorationNetwork", cell: Cell, planner: "Planner", folder: Path, most_loss: float
) -> tuple[ExportedFile, Quantisation]:
    """Writes the ONNX file of a folder in eight bits, and says what of PSNR that costs."""
    import torch

    from bench import deploy
    from bench.deploy import int8, onnx
    from bench.deploy.graph import largest_difference
    from bench.deploy.runtime import RuntimeNetwork
    from bench.evaluate import score
    from bench.ingredients import training_batch
    from bench.plan import Planner

    training, source = planner.training(cell), planner.data(cell.task).training
    path = folder / int8.FILE

    def images() -> "Iterator[Tensor]":
        for step in range(CALIBRATION_STEPS):
            yield training_batch(cell, source, training, step).degraded

    int8.write(folder / onnx.FILE, path, images())
    restore = onnx.load(path, torch.get_num_threads())
    held_out = Planner(planner.params.model_copy(update={"evaluate_on": "validation"}), planner.workspace)
    ((name, pairs),) = held_out.data(cell.task).test_sets.items()
    protocol = held_out.data(cell.task).protocol(name)
    before, after = (score(it, pairs, protocol).means()[METRIC] for it in (network, RuntimeNetwork(restore)))
    return deploy.describe(path, "onnx", largest_difference(network, restore)), Quantisation(
        images=name, num_images=len(pairs), signature=protocol.signatures()[METRIC], psnr_db=before, int8_psnr_db=after,
        most_loss_db=most_loss, is_kept=before - after <= most_loss,
    )  # fmt: skip


def _beside(cell: Cell, planner: "Planner") -> Iterator[CellRecord]:
    """The records of the removal teacher, and of the student alone that began with the same weights."""
    alone = Cell(cell.task, cell.network, "scratch", cell.seed)
    for other in (teacher_cell(cell.task, cell.network, "removal", planner.params), alone):
        folder = planner.workspace.results / "cells" / other.path
        if other != cell:
            yield from (read_cell(path) for path in sorted(folder.glob("*.json")))


def _costs(records: Sequence[CellRecord], results: Path) -> Mapping[str, NetworkRecord]:
    """By row, what its network costs, as far as that was counted."""
    counted = {(cost.network, cost.size): cost for cost in read_networks(results)}
    sizes = {record.label: (record.network, record.size) for record in records}
    return {label: counted[size] for label, size in sizes.items() if size in counted}


def _words(cell: Cell, planner: "Planner") -> Mapping[str, str]:
    """What declarations say of a cell."""
    from bench.datasets.base import DATASETS
    from bench.distiller import METHODS

    task, method = planner.data(cell.task).task, METHODS[cell.method]
    data = describe_data_set(task.train_set, DATASETS[task.train_set])
    own = planner.params.data_root
    reference = method.reference
    cited = f"{reference.authors}, {reference.venue} {reference.year}, {reference.url}" if reference.venue else ""
    return {
        "task": task.title,
        "train_set": f"images of {own.name}" if own else data.title,
        "licence": "as their owner says" if own else data.licence,
        "method": reference.title,
        "citation": cited,
        "deviations": reference.deviations,
    }
