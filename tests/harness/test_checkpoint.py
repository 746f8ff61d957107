"""Checkpoints: whatever happens to the newest file, what is read is whole, and the one before it is still there."""

import errno
import io
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.checkpoint import previous, read_checkpoint, write_checkpoint


def state(step, config_sha256="own"):
    weights = torch.arange(500, dtype=torch.float32) + step
    return {"config_sha256": config_sha256, "step": step, "weights": weights}


@pytest.fixture
def path(tmp_path):
    """A checkpoint of step 2, before it one of step 1."""
    path = tmp_path / "cell" / "checkpoint.pt"
    write_checkpoint(path, state(1))
    write_checkpoint(path, state(2))
    return path


def test_the_newest_is_read_and_the_one_before_is_kept(path):
    assert read_checkpoint(path, "own")["step"] == 2
    assert torch.equal(read_checkpoint(path, "own")["weights"], state(2)["weights"])
    assert read_checkpoint(previous(path), "own")["step"] == 1
    assert sorted(file.name for file in path.parent.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"]


def test_torch_reads_it_like_any_other_file(path):
    assert torch.load(path, weights_only=True)["step"] == 2
    assert torch.load(path, weights_only=True, mmap=True)["step"] == 2


CONTENT = io.BytesIO()
torch.save(state(2), CONTENT)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_noticed(tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("flipped") / "checkpoint.pt"
    write_checkpoint(path, state(1))
    write_checkpoint(path, state(2))
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    assert read_checkpoint(path, "own")["step"] in (1, 2)
    assert read_checkpoint(path, "own")["step"] == 1 or place % len(content) >= len(content) - 74, "not in the seal"


@pytest.mark.parametrize("length", [0, 1, 70, 1000, -1])
def test_a_file_that_was_cut_off_gives_way_to_the_one_before(path, length, caplog):
    path.write_bytes(path.read_bytes()[:length])
    assert read_checkpoint(path, "own")["step"] == 1
    assert f"{path}: damaged checkpoint" in caplog.text


def test_without_a_whole_file_there_is_no_state(path):
    for file in (path, previous(path)):
        file.write_bytes(b"damaged")
    assert read_checkpoint(path, "own") is None


def test_one_of_another_cell_is_passed_over(path):
    assert read_checkpoint(path, "other") is None
    write_checkpoint(path, state(7, "other"))
    assert read_checkpoint(path, "other")["step"] == 7
    assert read_checkpoint(path, "own")["step"] == 2, "that before it is still ours"


@pytest.mark.parametrize("broken_call", ["fsync", "replace"])
def test_a_full_disk_leaves_both_files_as_they_were(path, monkeypatch, broken_call):
    before = {file: file.read_bytes() for file in path.parent.iterdir()}

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, broken_call, full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(path, state(3))
    monkeypatch.undo()
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
    assert read_checkpoint(path, "own")["step"] == 2


class Hostile:
    """A pickle that writes a file when it is loaded without care."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_nothing_in_a_file_is_executed(path, tmp_path, caplog):
    write_checkpoint(path, state(3) | {"history": Hostile(tmp_path / "executed")})
    assert read_checkpoint(path, "own")["step"] == 2
    assert "not readable as weights alone" in caplog.text
    assert not (tmp_path / "executed").exists()
