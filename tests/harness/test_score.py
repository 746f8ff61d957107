"""The commands ``evaluate``, ``explain`` and ``metrics``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from bench.__main__ import app
from bench.config import digest
from bench.metrics.metric import METRICS
from bench.metrics.protocol import PROTOCOLS
from bench.networks.base import NETWORKS, build_network
from bench.networks.official import official_state
from bench.record import CellRecord, write_record
from bench.registry import UnknownNameError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Results and weights are looked for where the command is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))


@pytest.fixture
def folders(real_set):
    return ["--restored", str(real_set / "test" / "input"), "--clean", str(real_set / "test" / "target")]


@pytest.fixture
def weights(tmp_path):
    torch.save(build_network("nafnet", "micro", seed=3).state_dict(), tmp_path / "nafnet.pth")
    return tmp_path / "nafnet.pth"


SCORES = Path("results/local/scores")


def written(folder, name):
    """The one JSON file of a result."""
    (path,) = (path for path in folder.glob("*.json") if path.stem.rpartition("_")[0] == name)
    return path


def bench(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=True)


def test_a_folder_is_scored_as_the_harness_scores_it(folders, real_set, tmp_path):
    done = bench("evaluate", *folders, "--protocol", "denoise_rgb", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    path = written(tmp_path / "out", "input")
    summary = json.loads(path.read_text())
    per_image = pd.read_csv(path.with_suffix(".csv"), comment="#")
    assert list(per_image.image) == ["img-0", "img-1"] and summary["num_images"] == 2
    for key in PROTOCOLS["denoise_rgb"].metrics:
        assert summary["metrics"][key] == pytest.approx(per_image[key].mean())
        assert summary["signatures"][key] in done.output
        assert f"# {key}: {summary['signatures'][key]}" in path.with_suffix(".csv").read_text()
    pair = [torch.tensor(np.array(Image.open(real_set / "test" / f / "img-0.png"))) for f in ("input", "target")]
    images = [image.permute(2, 0, 1).unsqueeze(0) for image in pair]
    assert per_image.psnr_db[0] == METRICS["psnr_rgb"](*images).item()


@pytest.mark.parametrize("suffix", ["bmp", "tif", "jpg"])
def test_other_formats_and_names_with_spaces_and_accents(folders, tmp_path, suffix):
    for k, option in enumerate((1, 3)):
        copy = tmp_path / f"été {k}"
        copy.mkdir()
        for path in Path(folders[option]).iterdir():
            Image.open(path).save(copy / f"{path.stem} ü.{suffix}")
        folders[option] = str(copy)
    done = bench("evaluate", *folders, "--metric", "psnr_rgb", "--metric", "gmsd")
    assert done.exit_code == 0, done.output
    summary = json.loads(written(SCORES, "été 0").read_text())
    assert summary["metrics"].keys() == {"psnr_rgb", "gmsd"}


def test_without_originals_only_metrics_that_need_none_are_computed(folders):
    done = bench("evaluate", *folders[:2], "--protocol", "no_reference")
    assert done.exit_code == 0, done.output
    assert "piqe:grey" in done.output and "NIQE is left out" in done.output and "BRISQUE is left out" in done.output
    assert set(json.loads(written(SCORES, "input").read_text())["unavailable"]) == {"brisque", "niqe"}
    refused = bench("evaluate", *folders[:2], "--protocol", "derain_y")
    assert "name their folder with --clean" in str(refused.exception)


def test_identical_images_have_no_mean(folders, tmp_path):
    done = bench("evaluate", folders[0], folders[3], *folders[2:], "--protocol", "derain_y")
    assert done.exit_code == 0 and "no mean: some images are identical" in done.output
    path = written(SCORES, "target")
    assert json.loads(path.read_text())["metrics"]["psnr_db"] is None
    assert "PSNR without a mean" in bench("explain", path).output


def test_a_border_is_cut(folders):
    done = bench("evaluate", *folders, "--protocol", "denoise_rgb", "--crop-border", 4)
    assert "|crop:4|" in done.output
    assert "leaves nothing" in str(
        bench("evaluate", *folders, "--protocol", "denoise_rgb", "--crop-border", 20).exception
    )


def test_files_that_do_not_belong_together_are_named(folders, real_set, tmp_path):
    copy = tmp_path / "restored"
    shutil.copytree(real_set / "test" / "input", copy)
    Image.new("RGB", (9, 9)).save(copy / "img-1.png")
    wrong = bench("evaluate", "--restored", copy, *folders[2:], "--protocol", "derain_y")
    assert "img-1.png differ in size: 9x9 and 45x35 pixels" in str(wrong.exception)
    (copy / "img-1.png").unlink()
    lonely = bench("evaluate", "--restored", copy, *folders[2:], "--protocol", "derain_y")
    assert "without a partner" in str(lonely.exception) and "img-1.png" in str(lonely.exception)


def test_a_network_restores_and_scores_in_one_go(weights, real_set, tmp_path):
    options = ["--weights", weights, "--test-set", real_set, "--protocol", "derain_y"]
    done = bench("evaluate", "--network", "nafnet", *options, "--save", tmp_path / "kept")
    assert done.exit_code == 0, done.output
    summary = json.loads(written(SCORES, "nafnet_micro_on_mini_set").read_text())
    assert (summary["network"], summary["size"], summary["num_images"]) == ("nafnet", "micro", 2)
    assert "|uint8:round|" in summary["signatures"]["psnr_db"] and len(summary["weights_sha256"]) == 64
    # What was kept is what was scored.
    again = bench(
        "evaluate", "--restored", tmp_path / "kept", "--clean", real_set / "test/target", "--protocol", "derain_y"
    )
    assert again.exit_code == 0, again.output
    assert json.loads(written(SCORES, "kept").read_text())["metrics"] == summary["metrics"]
    other = bench("evaluate", *options, "--tile", 160, "--rounding", "trunc")
    assert "|uint8:trunc|crop:0|tile:160,128|" in other.output


@pytest.mark.parametrize("family", NETWORKS)
def test_weights_that_this_benchmark_trained_are_taken_as_they_are(family, real_set, tmp_path):
    network = build_network(family, "micro", seed=3)
    torch.save(official_state(network), tmp_path / "official.pth")
    state = {f"student.{name}": tensor for name, tensor in network.state_dict().items()}
    about = {"network": family, "size": "micro", "role": "student"}
    own = {"step": 3, "about": about, "distiller": {**state, "adapter.weight": torch.zeros(2)}}
    torch.save(own, tmp_path / "checkpoint.pt")
    outputs = []
    for file in ("official.pth", "checkpoint.pt"):
        done = bench("evaluate", "--weights", file, "--test-set", real_set, "--protocol", "denoise_rgb")
        assert done.exit_code == 0, done.output
        outputs.append(done.output.splitlines()[:3])
    assert outputs[0] == outputs[1]
    torch.save(own | {"about": about | {"role": "reconstruction"}}, tmp_path / "checkpoint.pt")
    refused = bench("evaluate", "--weights", "checkpoint.pt", "--test-set", real_set, "--protocol", "denoise_rgb")
    assert "is shown clean images: it restores nothing" in str(refused.exception)
    torch.save({"distiller": own["distiller"]}, tmp_path / "checkpoint.pt")
    refused = bench("evaluate", "--weights", "checkpoint.pt", "--test-set", real_set, "--protocol", "denoise_rgb")
    assert "written by an earlier version" in str(refused.exception)


def test_nothing_is_overwritten_by_restored_images(weights, real_set, tmp_path):
    shutil.copytree(real_set, tmp_path / "set")
    before = [path.read_bytes() for path in sorted((tmp_path / "set").rglob("*.png"))]
    options = ["--weights", weights, "--test-set", tmp_path / "set", "--protocol", "denoise_rgb"]
    refused = bench("evaluate", *options, "--save", tmp_path / "set" / "test" / "target")
    assert "this folder is not empty" in str(refused.exception)
    assert [path.read_bytes() for path in sorted((tmp_path / "set").rglob("*.png"))] == before


def test_where_results_go_is_tried_before_anything_is_scored(folders, tmp_path):
    (tmp_path / "file").write_text("")
    done = bench("evaluate", *folders, "--protocol", "denoise_rgb", "--out", tmp_path / "file")
    assert isinstance(done.exception, FileExistsError)


def test_an_image_that_a_metric_refuses_is_named(folders, tmp_path):
    for k, option in enumerate((1, 3)):
        (tmp_path / str(k)).mkdir()
        Image.new("RGB", (7, 7)).save(tmp_path / str(k) / "tiny.png")
        folders[option] = str(tmp_path / str(k))
    for metric in ("ssim_rgb", "gmsd", "fsim", "haarpsi"):
        done = bench("evaluate", *folders, "--metric", metric)
        assert "image 'tiny': this metric needs images of at least" in str(done.exception)


def test_a_declared_set_of_clean_images_needs_the_task_that_degrades_it(weights, real_set, tmp_path):
    shutil.copytree(real_set / "test" / "target", tmp_path / "datasets" / "cbsd68")
    options = ["--weights", weights, "--test-set", "cbsd68"]
    for wrong in ([], ["--task", "deraining"], ["--task", "deraining_rain100l"]):
        assert "--task, one of denoising_sigma15" in str(bench("evaluate", *options, *wrong).exception)
    done = bench("evaluate", *options, "--task", "denoising_sigma25")
    assert done.exit_code == 0, done.output
    summary = json.loads(written(SCORES, "nafnet_micro_on_cbsd68").read_text())
    assert summary["protocol"] == "denoise_rgb" and "UnclippedNoise(sigma=25)" in summary["test_data"]
    assert "degraded by denoising_sigma25" in bench("explain", written(SCORES, "nafnet_micro_on_cbsd68")).output
    other = bench("evaluate", *options, "--task", "denoising_sigma50")
    assert other.exit_code == 0 and len(list(SCORES.glob("*.json"))) == 2, "neither overwrites the other"
    assert "data import" in str(bench("evaluate", "--weights", weights, "--test-set", "kodak24").exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "choose one: --restored DIR"),
        (["--restored", ".", "--weights", "x"], "choose one"),
        (["--weights", "x"], "--weights FILE and --test-set SET"),
        (["--weights", "x", "--test-set", "y", "--clean", "."], "--clean: only for --restored"),
        (["--restored", "."], "say how to score: --protocol, one of derain_y"),
        (["--restored", ".", "--protocol", "derain_y", "--metric", "gmsd"], "say how to score"),
        (["--restored", ".", "--protocol", "no_reference", "--clean", "x"], "leave out --clean"),
        (["--restored", ".", "--metric", "niqe"], "there is no weights/niqe.npz"),
        (["--weights", "x", "--test-set", "rain_light", "--task", "deraining"], "x: no such file"),
        (["--restored", ".", "--save", "x"], "--save: only for a --network"),
        (["--restored", ".", "--protocol", "derain_y", "--clean", "."], "no images in this folder"),
        (["--restored", "gone", "--protocol", "derain_y", "--clean", "gone"], "gone: no such folder"),
        (["--weights", "x", "--test-set", "y", "--rounding", "up"], "x: no such file"),
    ],
)
def test_bad_requests_say_what_to_do(arguments, message):
    done = bench("evaluate", *(arguments or ["--crop-border", "1"]))
    assert isinstance(done.exception, ValueError | FileNotFoundError) and message in str(done.exception)


def test_unknown_names_are_suggested(folders):
    for arguments, near in ((["--protocol", "derain"], "derain_y"), (["--metric", "psnr_rbg"], "psnr_rgb")):
        with pytest.raises(UnknownNameError, match=f"did you mean '{near}'"):
            raise bench("evaluate", *folders, *arguments).exception


def test_explain_says_what_the_numbers_of_a_record_are(tmp_path):
    signature = PROTOCOLS["derain_y"].signatures()["psnr_db"]
    values = {
        "task": "deraining", "network": "nafnet", "size": "micro", "method": "slkd", "role": "student", "seed": 0,
        "test_set": "rain_light", "status": "ok", "protocol": "derain_y", "signatures": {"psnr_db": signature},
        "metrics": {"psnr_db": 31.234}, "input_metrics": {"psnr_db": 20.0}, "num_images": 7, "steps": 3, "config": {},
        "config_sha256": digest({}),
        "unavailable": {"niqe": "there is no model"},
        "run": {"seconds": 1.0, "peak_memory_mb": 1.0, "started_at": "", "provenance": {}},
    }  # fmt: skip
    write_record(tmp_path / "cell.json", CellRecord.model_validate(values))
    done = bench("explain", tmp_path / "cell.json")
    assert done.exit_code == 0, done.output
    for part in (
        "slkd (nafnet/micro, seed 0",
        "7 images",
        "PSNR 31.23: psnr:y|",
        "luma is rounded to 8 bits",
        "no model",
    ):
        assert part in done.output
    skipped = values | {
        "status": "skipped",
        "reason": "no decoder",
        "metrics": {},
        "input_metrics": {},
        "signatures": {},
    }
    write_record(tmp_path / "cell.json", CellRecord.model_validate(skipped))
    assert "skipped: no decoder" in bench("explain", tmp_path / "cell.json").output


def test_explain_refuses_what_holds_no_scores(tmp_path):
    (tmp_path / "x.json").write_text('{"kind": "network"}')
    (tmp_path / "y.json").write_text("not JSON")
    (tmp_path / "z.json").write_text('{"kind": "scores"}')
    expected = {"x": "holds no scores", "y": "not a record", "z": "z.json: protocol", "gone": "no such record"}
    for name, message in expected.items():
        assert message in str(bench("explain", tmp_path / f"{name}.json").exception)


def test_metrics_are_listed_with_their_definitions():
    output = bench("metrics", "list").output
    for name, metric in METRICS.items():
        assert f"{name:<24}{metric.title}" in output and metric.definition in output
    assert all(f"protocol {name}" in output for name in PROTOCOLS)


def test_a_model_of_pristine_photographs_makes_niqe_available(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(5):
        texture = np.kron(rng.integers(40, 200, (36, 36, 3)), np.ones((8, 8, 1))) + rng.normal(0, 12, (288, 288, 3))
        (tmp_path / "pristine").mkdir(exist_ok=True)
        Image.fromarray(texture.clip(0, 255).astype(np.uint8)).save(tmp_path / "pristine" / f"{k}.png")
    done = bench("metrics", "fit-niqe", "--from", tmp_path / "pristine")
    assert done.exit_code == 0, done.output
    assert "already there" in str(bench("metrics", "fit-niqe", "--from", tmp_path / "pristine").exception)
    scored = bench("evaluate", "--restored", tmp_path / "pristine", "--metric", "niqe")
    assert scored.exit_code == 0, scored.output
    digest = done.output.split("sha256 ")[1][:12]
    assert f"|params:{digest}|" in scored.output
