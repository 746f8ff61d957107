"""Checkpoints that survive a kill, a power cut, a full disk and a flipped bit.

A checkpoint is a file of ``torch.save`` that ends in its own sha256, as the comment of the zip archive that such a
file is; ``torch.load`` reads it like any other. It is written beside the last one and renamed; the last one is kept.
"""

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import torch

from bench.atomic import write_atomically

log = logging.getLogger(__name__)

LABEL = b"sha256:"
SEAL_LENGTH = len(LABEL) + 64


class DamagedError(ValueError):
    """A file whose content is not what was written."""


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint, atomically and checksummed; the one that was there is kept as the previous one.

    Args:
        path: Where to; parents are made.
        state: Tensors and plain values; ``config_sha256`` says of which cell.

    Raises:
        OSError: It could not be written; what was there is still there.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, _sealed(buffer.getbuffer()), keep=previous(path))


def read_checkpoint(path: Path, config_sha256: str) -> dict[str, Any] | None:
    """The newest whole state of a cell, or None where there is none with this configuration.

    A damaged file is named in the log, and the previous one is used.
    """
    for candidate in (path, previous(path)):
        try:
            state = _read(candidate)
        except FileNotFoundError:
            continue
        except DamagedError as error:
            log.warning("%s: damaged checkpoint, %s; the one before it is used if there is one", candidate, error)
            continue
        if state.get("config_sha256") == config_sha256:
            return state
    return None


def previous(path: Path) -> Path:
    """Where the checkpoint before a checkpoint is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _sealed(content: memoryview) -> bytes:
    """The content of a zip archive without a comment, with its digest as the comment."""
    body, length = content[:-2], bytes(content[-2:])
    if length != b"\0\0":
        raise ValueError("expected an archive as torch.save writes it, without a comment at its end")
    return b"".join((body, SEAL_LENGTH.to_bytes(2, "little"), LABEL, hashlib.sha256(body).hexdigest().encode()))


def _read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint; nothing in the file is executed.

    Raises:
        FileNotFoundError: There is none.
        DamagedError: It is not as it was written.
    """
    content = path.read_bytes()
    body, label, digest = content[: -2 - SEAL_LENGTH], content[-SEAL_LENGTH:-64], content[-64:]
    if label != LABEL:
        raise DamagedError("without a checksum at its end: cut off, or of an earlier release")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise DamagedError("its checksum is another")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file that carries a checksum: torch.load raises almost anything
        raise DamagedError(f"{type(error).__name__}: not readable as weights alone") from error
    if not isinstance(state, dict):
        raise DamagedError(f"expected a state by name, found {type(state).__name__}")
    return state
