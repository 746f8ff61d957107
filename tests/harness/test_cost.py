"""The command ``python -m bench cost``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import latency
from bench.__main__ import app
from bench.cost_table import cost_table
from bench.networks.base import NETWORKS, Published
from bench.record import Measured, NetworkRecord, read_networks
from bench.registry import UnknownNameError

ROOT = Path.cwd()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(latency, "SECONDS", 0.0)


def cost(*arguments):
    return CliRunner().invoke(app, ["cost", "--threads", "1", *map(str, arguments)])


def rows(output):
    """The cells of the table that was printed, without its header."""
    lines = [line for line in output.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_grid_is_measured_and_recorded(tmp_path):
    done = cost("--profile", "smoke", "--size", 64, "--batch", 2, "--results", tmp_path)
    assert done.exit_code == 0, done.output
    records = list(read_networks(tmp_path))
    expected = {(name, size) for name in ("nafnet", "restormer") for size in ("mini", "micro")}
    assert (
        {(record.network, record.size) for record in records} == expected == {tuple(r[:2]) for r in rows(done.output)}
    )
    for record in records:
        assert record.input_size == 64
        assert (record.measured.batch, record.measured.threads) == (2, 1)
    assert "64x64" in done.output and "batches of 2, CPU threads: 1," in done.output


def test_a_family_is_printed_beside_what_others_print(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where its records would go
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    printed = {"micro": Published("A paper, Table 1", 0.5, 1.25), "mini": Published("A paper, Table 1", 2)}
    monkeypatch.setattr(NETWORKS["nafnet"], "published", printed)
    done = cost("--network", "nafnet", "--preset", "micro", "--preset", "mini", "--preset", "sl", "--size", 32)
    assert done.exit_code == 0, done.output
    assert [row[-1] for row in rows(done.output)] == ["0.5 / 1.25 [1]", "2 / - [1]", "-"]
    assert done.output.count("[1] A paper, Table 1") == 1
    assert "`@` products" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--network", "nafnt"], UnknownNameError, "unknown network 'nafnt': did you mean 'nafnet'"),
        (["--network", "nafnet", "--preset", "minni"], UnknownNameError, "size of network 'nafnet' 'minni': did you"),
        (["--preset", "mini"], ValueError, "name the family with --network"),
        (["--network", "uformer", "--preset", "mini", "--size", 100], ValueError, "the nearest: 64 or 128"),
    ],
)
def test_bad_requests_say_what_is_valid(arguments, error, message, tmp_path):
    done = cost(*arguments, "--results", tmp_path / "r")
    assert isinstance(done.exception, error)
    assert message in str(done.exception)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("option", ["--size", "--batch", "--threads"])
def test_sizes_are_positive(option):
    assert cost(option, 0).exit_code == 2


def record(size, threads=2, input_size=256):
    measured = Measured(
        latency_ms=1, latency_iqr_ms=0, peak_memory_mb=1, batch=1, threads=threads, num_runs=5, device="CPU", torch="2"
    )
    return NetworkRecord(
        network="nafnet", size=size, params_m=1, macs_g=1, macs_complete_g=1, input_size=input_size, measured=measured
    )


def test_latencies_of_two_ways_have_a_note_each():
    notes = cost_table([record("mini"), record("micro"), record("sl", threads=1)]).notes
    assert [note[:31] for note in notes if "CPU threads: 2" in note] == ["Latency of nafnet mini, nafnet "]
    assert [note[:20] for note in notes if "CPU threads: 1" in note] == ["Latency of nafnet sl"]


def test_costs_of_two_input_sizes_are_not_mixed():
    with pytest.raises(ValueError, match="128 and 256 pixels: measure them at one --size"):
        cost_table([record("mini"), record("micro", input_size=128)])
