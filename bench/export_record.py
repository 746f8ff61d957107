"""Records of exported networks: which files, how exact, how fast."""

from typing import Literal

from pydantic import Field

from bench.record import StrictRecord


class Timing(StrictRecord):
    """What restoring one image takes; another machine or day gives other numbers.

    Attributes:
        runtime: What restored it, such as ONNX Runtime.
        version: Of the runtime.
        file: What it ran; empty for the network as it is trained, in PyTorch.
        latency_ms: Median time of an image, in milliseconds.
        latency_iqr_ms: Distance of the quartiles, in milliseconds.
        num_runs: Images that were timed.
    """

    runtime: str
    version: str
    file: str = ""
    latency_ms: float
    latency_iqr_ms: float
    num_runs: int


class ExportedFile(StrictRecord):
    """One file of an exported network.

    Attributes:
        file: Its name.
        format: Its format.
        num_bytes: Its size.
        sha256: Its digest.
        largest_difference: From what the network restores, over images of several sizes, in units of [0, 1].
    """

    file: str
    format: str
    num_bytes: int
    sha256: str
    largest_difference: float


class Quantisation(StrictRecord):
    """What eight bits cost.

    Attributes:
        images: What was scored: images that are in no test set.
        num_images: How many.
        signature: The definition of PSNR.
        psnr_db: Of the network as it is trained.
        int8_psnr_db: Of the eight-bit file.
        most_loss_db: How much it may lose.
        is_kept: Whether it loses no more, so that the file was written.
    """

    images: str
    num_images: int
    signature: str
    psnr_db: float
    int8_psnr_db: float
    most_loss_db: float
    is_kept: bool


class ExportRecord(StrictRecord):
    """A trained network as files.

    Attributes:
        cell: The cell whose network it is.
        weights_sha256: Digest of its weights.
        size_multiple: The least side of an image.
        files: The files, each checked against the network.
        int8: What eight bits cost; None where they were not asked for.
        input_size: Side of the square image that was timed, in pixels.
        threads: CPU threads of the timed runs.
        device: The processor's name.
        timings: The network in PyTorch first, then the files.
    """

    kind: Literal["export"] = "export"
    version: Literal[1] = 1
    cell: str
    network: str
    size: str
    weights_sha256: str
    size_multiple: int
    files: tuple[ExportedFile, ...]
    int8: Quantisation | None = None
    input_size: int = Field(gt=0)
    threads: int = Field(gt=0)
    device: str
    timings: tuple[Timing, ...]
