import errno
import json
import os

import pytest

from bench.atomic import write_atomically
from bench.config import digest
from bench.record import CellRecord, read_cell, write_record
from bench.values import read_history, write_history, write_per_image


def record(**changes):
    values = {
        "task": "deraining", "network": "nafnet", "size": "micro", "method": "scratch", "role": "student", "seed": 0,
        "test_set": "rain_light", "status": "ok", "protocol": "derain_y", "signatures": {"psnr_db": "psnr:y|v1"},
        "metrics": {"psnr_db": 30.0}, "input_metrics": {"psnr_db": 27.0}, "num_images": 2, "steps": 3, "config": {},
        "config_sha256": digest(changes.get("config", {})),
        "run": {"seconds": 1.0, "peak_memory_mb": 1.0, "started_at": "2026-01-01T00:00:00+00:00", "provenance": {}},
    }  # fmt: skip
    return CellRecord.model_validate(values | changes)


def test_what_is_written_is_read_back(tmp_path):
    write_record(tmp_path / "a" / "b.json", record())
    assert read_cell(tmp_path / "a" / "b.json") == record()


def test_a_record_whose_configuration_was_edited_is_refused(tmp_path):
    write_record(tmp_path / "edited.json", record().model_copy(update={"config": {"seed": 1}}))
    with pytest.raises(ValueError, match=r"edited\.json: config_sha256 is not that of config"):
        read_cell(tmp_path / "edited.json")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        record(metrics={"psnr_db": value})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "cell"}', json.dumps({"kind": "network"})])
def test_a_damaged_record_is_named(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bad\.json.*delete the file"):
        read_cell(path)


@pytest.mark.parametrize("broken_call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, broken_call):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, broken_call, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_values_per_image_keep_all_their_digits(tmp_path):
    signatures = {"psnr_db": "psnr:y|v1", "ssim": "ssim:y|v1", "other": "x|v1"}
    write_per_image(tmp_path / "x.csv", ["a", "b"], {"psnr_db": [1 / 3, 2.0], "ssim": [0.1, 0.2]}, signatures)
    assert (tmp_path / "x.csv").read_text() == (
        f"# psnr_db: psnr:y|v1\n# ssim: ssim:y|v1\nimage,psnr_db,ssim\na,{1 / 3!r},0.1\nb,2.0,0.2\n"
    )


def test_a_history_is_read_as_it_was_written(tmp_path):
    rows = [{"step": 4, "restoration": 0.1234567, "kl": 1e-9}, {"step": 8, "restoration": 0.1, "kl": 2.0}]
    write_history(tmp_path / "terms.csv", rows)
    assert read_history(tmp_path / "terms.csv") == [{"step": 4, "restoration": 0.12346, "kl": 1e-9}, rows[1]]


def test_a_broken_history_is_named(tmp_path):
    (tmp_path / "terms.csv").write_text("step,kl\n1,much\n")
    with pytest.raises(ValueError, match=r"terms\.csv: expected a table of numbers"):
        read_history(tmp_path / "terms.csv")
