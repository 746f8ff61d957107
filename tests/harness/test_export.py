"""Trained networks as files: what they restore, what their cards say, and what is refused."""

import json
import re
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from bench.__main__ import app
from bench.deploy import FORMATS, int8, onnx
from bench.deploy.graph import Graph, example, largest_difference
from bench.export_record import ExportRecord
from bench.networks.base import NETWORKS, build_network
from bench.networks.official import load_official, official_state, read_weights
from bench.record import read_cells, read_record, write_record

CELL = "denoising/nafnet/seed0/slkd"


def bench(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def refused(*arguments):
    """The message with which a command is refused."""
    error = bench(*arguments).exception
    assert isinstance(error, (ValueError, OSError, KeyError)), error
    return str(error)


@pytest.fixture(scope="module")
def results(tmp_path_factory, real_set):
    """The results of a grid of two methods on a set of its own."""
    folder = tmp_path_factory.mktemp("export") / "results"
    options = ["--profile", "smoke", "--task", "denoising", "--network", "nafnet", "--data-root", str(real_set)]
    options += ["--set", "threads=1", "--method", "slkd", "--method", "scratch", "--results", str(folder)]
    done = bench("run", *options)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def exported(results):
    """All formats of one network, in eight bits, too, and what the command printed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bench.sources.HELD_OUT_EVERY", 2)  # of four scenes
        options = ("--int8", "--most-loss", 60, "--size", 64, "--out", results / "exported")
        done = bench("export", CELL, "--results", results, *options)
    assert done.exit_code == 0, done.exception
    return results / "exported", done.output


def test_every_file_restores_what_the_network_does(exported):
    folder, printed = exported
    record = read_record(folder / "export.json", ExportRecord)
    assert [file.format for file in record.files] == [*FORMATS, "onnx"]
    for file in record.files:
        assert file.largest_difference < 1e-4 or file.file == int8.FILE
        assert (folder / file.file).stat().st_size == file.num_bytes
        assert str(folder / file.file) in printed
    network = load_official(read_weights(folder / "network.safetensors"))
    image = torch.rand(1, 3, 37, 51)
    restored = onnx.load(folder / "network.onnx", 1)(image)
    assert restored.shape == image.shape and (restored - network.restore(image)).abs().max() < 1e-4


def test_files_say_whose_they_are_and_not_where_they_were_made(exported):
    import onnx as library

    folder, _ = exported
    record = read_record(folder / "export.json", ExportRecord)
    model = library.load(folder / "network.onnx")
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told == {"cell": CELL, "weights_sha256": record.weights_sha256, "licence": "Apache-2.0"}
    assert b"site-packages" not in (folder / "network.onnx").read_bytes()
    extra = {"about.json": ""}
    torch.jit.load(folder / "network.torchscript.pt", _extra_files=extra)
    assert json.loads(extra["about.json"]) == told


def test_the_card_has_scores_costs_and_code_that_runs(exported, results, monkeypatch):
    folder, _ = exported
    card = (folder / "README.md").read_text()
    record = next(r for r in read_cells(results) if r.label == "slkd")
    score = f"{record.metrics['psnr_db']:.2f}"
    for text in (score, record.signatures["psnr_db"], record.weights_sha256, "ICASSP 2025"):
        assert text in card
    assert "| scratch |" in card and "| removal teacher |" in card and "of the parameters" in card
    assert not re.search(r"\{\{|\n\n\n", card)
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        subprocess.run([sys.executable, "-c", f"{block}\nassert restored.shape == (1, 3, 321, 481)"], check=True)


def test_the_card_of_imported_weights_claims_neither_their_training_nor_their_licence(real_set, tmp_path):
    torch.save({"params": official_state(build_network("nafnet", "micro", seed=4))}, tmp_path / "official.pth")
    grid = ["--profile", "smoke", "--data-root", real_set, "--results", tmp_path / "results"]
    told = ["--weights", tmp_path / "official.pth", "--source", "https://example.org/official"]
    assert bench("teach", "--task", "denoising", *grid, *told).exit_code == 0
    teacher = "denoising/nafnet/teachers/removal"
    done = bench(
        "export",
        teacher,
        "--results",
        tmp_path / "results",
        "--size",
        32,
        "--format",
        "safetensors",
        "--out",
        tmp_path / "out",
    )
    assert done.exit_code == 0, done.exception
    card = (tmp_path / "out" / "README.md").read_text()
    assert "license: other" in card and "Imported from the file official.pth (https://example.org/official)" in card
    assert "as their publisher says" in card and "Trained on" not in card and "steps of" not in card
    assert not re.search(r"\{\{|\n\n\n", card)


def test_safetensors_are_weights_to_evaluate(exported, real_set, tmp_path):
    weights = exported[0] / "network.safetensors"
    done = bench(
        "evaluate", "--weights", weights, "--test-set", real_set, "--protocol", "denoise_rgb", "--out", tmp_path
    )
    assert done.exit_code == 0 and "PSNR" in done.output, done.exception


def test_eight_bits_are_kept_where_they_lose_little(exported):
    folder, printed = exported
    record = read_record(folder / "export.json", ExportRecord)
    assert record.int8.is_kept and (folder / int8.FILE).exists() and record.int8.num_images == 2
    assert [timing.file for timing in record.timings] == ["", onnx.FILE, "network.torchscript.pt", int8.FILE]
    assert "int8: " in printed and "Eight bits" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_eight_bits_that_lose_more_are_not_kept(results, tmp_path, monkeypatch):
    def write_another(source, path, images):
        next(iter(images))
        onnx.write(build_network("nafnet", "micro", seed=9, residual=False).eval(), path, {})

    monkeypatch.setattr("bench.sources.HELD_OUT_EVERY", 2)
    monkeypatch.setattr(int8, "write", write_another)
    (tmp_path / int8.FILE).write_bytes(b"of an earlier export")
    options = ("--format", "onnx", "--int8", "--size", 32, "--out", tmp_path)
    done = bench("export", CELL, "--results", results, *options)
    record = read_record(tmp_path / "export.json", ExportRecord)
    assert not record.int8.is_kept and record.int8.int8_psnr_db < record.int8.psnr_db - 0.1
    assert not (tmp_path / int8.FILE).exists() and "not kept" in done.output
    assert "the file was not kept" in (tmp_path / "README.md").read_text()


def test_a_file_that_restores_otherwise_is_not_kept(results, tmp_path, monkeypatch):
    def write_another(network, path, about):
        right(build_network("nafnet", "micro", seed=9, residual=False).eval(), path, about)

    right = FORMATS["safetensors"].write
    options = ("--format", "safetensors", "--results", results, "--size", 32, "--out", tmp_path)
    assert bench("export", CELL, *options).exit_code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(FORMATS["safetensors"], "write", write_another)
    assert "restores an image otherwise" in refused("export", CELL, *options)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_cannot_be_exported_is_refused_by_name(results, tmp_path, monkeypatch):
    options = ("--results", results, "--out", tmp_path / "out")
    assert "onnx" in refused("export", CELL, *options, "--format", "onx")
    assert "--format onnx" in refused("export", CELL, *options, "--format", "safetensors", "--int8")
    assert "shown clean images" in refused("export", "denoising/nafnet/teachers/reconstruction", *options)
    assert "no such record" in refused("export", "denoising/nafnet/seed7/slkd", *options)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "'.[export]'" in refused("export", CELL, *options, "--format", "onnx")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_gone_or_not_on_record_are_refused(results, tmp_path):
    (path,) = (results / "cells" / CELL).glob("*.json")
    record = next(r for r in read_cells(results) if r.label == "slkd")
    content = path.read_bytes()
    options = ("--results", results, "--out", tmp_path / "out")
    write_record(path, record.model_copy(update={"weights_sha256": "0" * 64}))
    try:
        assert "not those on record" in refused("export", CELL, *options)
    finally:
        path.write_bytes(content)
    checkpoint = results / "runs" / CELL / "checkpoint.pt"
    hidden = checkpoint.rename(tmp_path / "hidden")
    try:
        assert "bench.run" in refused("export", CELL, *options)
    finally:
        hidden.rename(checkpoint)


@pytest.mark.parametrize("family", NETWORKS)
def test_the_graph_does_what_restore_does(family):
    network = build_network(family, "micro").eval()
    graph = Graph(network).eval()
    with torch.inference_mode():
        assert torch.equal(graph(example(network)), network.restore(example(network)))
    assert largest_difference(network, graph) == 0


@pytest.mark.slow
@pytest.mark.parametrize("family", NETWORKS)
def test_every_family_is_exported_for_images_of_any_size(family, tmp_path):
    network = build_network(family, "micro").eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    for kind in FORMATS.values():
        kind.write(network, tmp_path / kind.FILE, {"cell": family})
        assert largest_difference(network, kind.load(tmp_path / kind.FILE, 1)) < 1e-4
