"""Teachers that are not trained here: weights from a file, with where they come from."""

import hashlib
import io
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from bench.atomic import write_atomically
from bench.networks.base import RestorationNetwork
from bench.networks.foreign import SpandrelNetwork
from bench.networks.official import Architecture, load_strictly, load_tensors, read_weights, recognise


@dataclass(frozen=True)
class ImportedTeacher:
    """Weights from a file, and what is known of them.

    Attributes:
        loader: ``official``: one of our families; ``spandrel``: a network of that library, known by its output only.
        architecture: What the weights are of.
        file_sha256: Of the file that was imported.
        file: Its name.
        source: Where it comes from, in the words of whoever imported it.
        state: The state dict with the names of the file.
    """

    loader: Literal["official", "spandrel"]
    architecture: Architecture
    file_sha256: str
    file: str
    source: str
    state: dict[str, Tensor]

    @property
    def identity(self) -> dict[str, Any]:
        """What decides its output, as JSON-like values."""
        return {"loader": self.loader, **self.architecture._asdict(), "file_sha256": self.file_sha256}

    @cached_property
    def network(self) -> RestorationNetwork:
        """The network with its weights, in evaluation mode.

        Raises:
            ValueError: The weights do not fit it.
        """
        if self.loader == "spandrel":
            return SpandrelNetwork(self.state).eval()
        network = self.architecture.build()
        load_strictly(network, self.state)
        return network.eval()

    def write(self, path: Path) -> None:
        """Writes it as one file, atomically."""
        buffer = io.BytesIO()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        torch.save(values | {"architecture": tuple(self.architecture)}, buffer)
        write_atomically(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> "ImportedTeacher":
        """Reads what `write` wrote; the weights stay on disk until they are used.

        Raises:
            ValueError: The file is damaged.
        """
        try:
            values = load_tensors(path, mmap=True)
            return cls(**values | {"architecture": Architecture(*values["architecture"])})
        except Exception as error:  # torch.load raises almost anything on a damaged file
            raise ValueError(f"{path}: damaged; import the teacher again, or delete the file to train one") from error


def import_weights(
    path: Path, network: str | None = None, source: str = "", use_spandrel: bool = False
) -> ImportedTeacher:
    """Reads a checkpoint file, recognises the network and verifies that the weights fit it.

    Args:
        path: A checkpoint of an official training code, or one that ``spandrel`` knows.
        network: The family that it must be of; None where names and shapes are to tell.
        source: Where the file comes from, such as a URL.
        use_spandrel: Whether ``spandrel`` loads it: any architecture, known by its output only.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a checkpoint, or of another network; the message has what was expected.
        KeyError: No family of that name.
    """
    state = read_weights(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        architecture = SpandrelNetwork(state).architecture if use_spandrel else recognise(state, network)
        loader: Literal["official", "spandrel"] = "spandrel" if use_spandrel else "official"
        teacher = ImportedTeacher(loader, architecture, sha256, path.name, source, state)
        takes = teacher.network.in_channels
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if takes != 3:
        raise ValueError(
            f"{path}: this network takes {takes} channels, the benchmark's images are RGB: it cannot teach"
        )
    return teacher
