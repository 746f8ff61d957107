"""Trained networks as files that others run: one module per format, each file checked against PyTorch, a model card."""

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import torch

from bench.deploy import int8, onnx, safetensors, torchscript
from bench.deploy.graph import TOLERANCE, Restore, largest_difference
from bench.export_record import ExportedFile, Timing
from bench.latency import milliseconds
from bench.networks.base import RestorationNetwork
from bench.registry import UnknownNameError

FORMATS: dict[str, ModuleType] = {"onnx": onnx, "torchscript": torchscript, "safetensors": safetensors}
"""What a network can be written as: modules with ``FILE``, ``RUNTIME``, ``write`` and ``load``."""
EXTRA = "python -m pip install -e '.[export]'"


def format_of(name: str) -> ModuleType:
    """The module of a format.

    Raises:
        UnknownNameError: There is none of that name; the message names the nearest ones.
    """
    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS)
    return FORMATS[name]


def write(
    network: RestorationNetwork, formats: Sequence[str], folder: Path, about: Mapping[str, str]
) -> list[ExportedFile]:
    """Writes a network in some formats, and compares what each file restores with what the network does.

    Args:
        network: In evaluation mode.
        formats: Names of `FORMATS`.
        folder: Where the files go.
        about: Kept in the files.

    Raises:
        ModuleNotFoundError: A format needs a package that is not here.
        ValueError: A file restores an image otherwise, by more than `TOLERANCE`.
    """
    files = []
    for name in formats:
        kind, path = format_of(name), folder / format_of(name).FILE
        kind.write(network, path, about)
        files.append(describe(path, name, largest_difference(network, kind.load(path, torch.get_num_threads()))))
        if files[-1].largest_difference > TOLERANCE:
            found = f"restores an image otherwise than the network, by up to {files[-1].largest_difference:.2g}"
            raise ValueError(f"{path.name} {found} where {TOLERANCE:g} is allowed; it was not kept")
    return files


def describe(path: Path, format_: str, difference: float) -> ExportedFile:
    """What is to be said of a file."""
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return ExportedFile(
        file=path.name, format=format_, num_bytes=len(content), sha256=sha256, largest_difference=difference
    )


def time_all(network: RestorationNetwork, files: Sequence[ExportedFile], folder: Path, side: int) -> list[Timing]:
    """Times the network in PyTorch and each file that is run by something else, by the same number of threads.

    Args:
        network: In evaluation mode.
        files: Of the folder.
        folder: Where they are.
        side: Of the square image that is restored, in pixels.
    """
    threads = torch.get_num_threads()
    timings = [_time(network.restore, side, "PyTorch", torch.__version__)]
    for file in files:
        kind = onnx if file.file == int8.FILE else FORMATS[file.format]
        if kind is not safetensors:  # whose weights the first row runs
            package = "onnxruntime" if kind is onnx else "torch"
            restore = kind.load(folder / file.file, threads)
            timings.append(_time(restore, side, kind.RUNTIME, version(package), file.file))
    return timings


def _time(restore: Restore, side: int, runtime: str, release: str, file: str = "") -> Timing:
    image = torch.linspace(0, 1, 3 * side * side).view(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    runs = milliseconds(restore, image)
    lower, median, upper = statistics.quantiles(runs, n=4, method="inclusive")
    return Timing(
        runtime=runtime, version=release, file=file, latency_ms=median, latency_iqr_ms=upper - lower, num_runs=len(runs)
    )
