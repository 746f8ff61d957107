"""The commands ``data list | where | verify | import``, and the checks before a run."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench import run
from bench.__main__ import app
from bench.cell import Filters
from bench.datasets.base import DATASETS


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def download(tmp_path):
    """An unpacked Rain100L of two and two pairs, among other files."""
    folder = tmp_path / "down loads" / "Rain100L ü"
    pairs = [(f"RainTrainL/rain-{k}.png", f"RainTrainL/norain-{k}.png") for k in (1, 2)]
    pairs += [(f"Rain100L/rainy/rain-00{k}.png", f"Rain100L/norain-00{k}.png") for k in (1, 2)]
    for seed, pair in enumerate(pairs):
        for path in pair:
            image(folder / path, seed)
    (folder / "readme.txt").write_text("")
    return folder


def image(path: Path, seed: int, size: int = 48) -> None:
    """A smooth image of its own, to which a photograph's perceptual hash is not the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(path)


def data(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def test_an_imported_set_is_linked_checked_and_found(download):
    assert "missing" in data("where", "rain100l").output
    done = data("import", "rain100l", "--from", download)
    assert done.exit_code == 0, done.output
    assert Path("datasets/rain100l").is_symlink()
    assert "published with 200 images, found 2" in done.output and "published with 100 images, found 2" in done.output
    assert "--copy is for `dvc add datasets/rain100l`" in done.output
    checked = data("verify", "rain100l")
    assert checked.exit_code == 0 and checked.output.count("2 images") == 2 and checked.output.count("sha256 ") == 2
    rows = [line.split() for line in data("list").output.splitlines() if " rain100l " in line]
    assert [row[:4] for row in rows] == [["rain100l", "train", "200", "2"], ["rain100l", "test", "100", "2"]]


def test_a_copied_set_is_its_own_and_can_be_versioned(download):
    done = data("import", "rain100l", "--from", download, "--copy")
    assert done.exit_code == 0, done.output
    assert not Path("datasets/rain100l").is_symlink() and Path("datasets/rain100l/readme.txt").exists()
    assert "to version it: dvc add datasets/rain100l" in done.output
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    subprocess.run(["dvc", "add", "-q", "datasets/rain100l"], check=True)
    assert Path("datasets/rain100l.dvc").exists()
    again = data("import", "rain100l", "--from", download)
    assert "already there; to import another one, remove it first: `rm -r datasets/rain100l`" in str(again.exception)


def test_what_is_not_the_set_is_not_imported(download):
    for source, message in (
        (download.parent, "no images of gopro; found Rain100L"),
        (download / "gone", "not a folder"),
    ):
        done = data("import", "gopro", "--from", source)
        assert message in str(done.exception)
    assert "dvc pull" in str(data("import", "scenes", "--from", download).exception)
    assert not Path("datasets").exists()


def test_an_import_loses_nothing_and_copies_no_folder_into_itself(download, tmp_path):
    data("import", "rain100l", "--from", download, "--copy")
    for option in ([], ["--copy"]):
        again = data("import", "rain100l", "--from", "datasets/rain100l/", *option)
        assert "is this folder already; `python -m bench data verify rain100l`" in str(again.exception)
        inside = data("import", "cbsd68", "--from", Path("datasets/rain100l/Rain100L"), *option)
        assert "holds" not in str(inside.exception)  # another folder, merely below the same one
    image(Path("1.png"), 1)
    for option in ([], ["--copy"]):
        nested = data("import", "kodak24", "--from", ".", *option)
        assert "holds datasets/kodak24, where the set belongs" in str(nested.exception)
    assert not os.path.lexists("datasets/kodak24") and len(list(Path("datasets").iterdir())) <= 2


def test_a_link_that_leads_nowhere_is_named():
    Path("datasets").mkdir()
    Path("datasets/kodak24").symlink_to("gone")
    done = data("verify")
    assert done.exit_code == 1 and "datasets/kodak24: a link that leads nowhere" in done.output.replace("\n", "")


def test_a_damaged_set_stays_where_it_was_put_and_is_an_error(download):
    (download / "RainTrainL" / "rain-2.png").write_bytes(b"cut off")
    done = data("import", "rain100l", "--from", download)
    assert done.exit_code == 1 and "rain-2.png" in done.output and Path("datasets/rain100l").exists()
    assert "imported with errors; mend them there, or `rm datasets/rain100l` and import again" in done.output
    (download / "RainTrainL" / "rain-2.png").unlink()
    assert "norain-2.png" in data("verify", "rain100l").output
    assert data("verify").exit_code == 1


def test_leaks_within_a_set_and_between_the_sets_of_a_task_are_errors(tmp_path):
    for k in range(2):
        image(Path(f"datasets/bsds500/images/train/{k}.jpg"), k)
        image(Path(f"datasets/bsds500/images/test/{k + 2}.jpg"), k + 2)
        image(Path(f"datasets/cbsd68/{k}.png"), k + 7)
    assert data("verify", "bsds500", "cbsd68").exit_code == 0
    image(Path("datasets/cbsd68/1.png"), 3)
    done = data("verify", "bsds500", "cbsd68")
    assert done.exit_code == 1
    assert "bsds500 and cbsd68: 1 test image(s) show a photograph that is trained on" in done.output


def test_the_embedded_sets_can_be_checked_alone(download, tmp_path):
    """What the first stage of `dvc repro` does, whatever a user has put into datasets/."""
    data("import", "rain100l", "--from", download)
    (download / "RainTrainL" / "rain-2.png").write_bytes(b"cut off")
    root = Path(run.__file__).parents[1] / "data"
    assert data("verify", "--root", root).exit_code == 1
    done = data("verify", "--embedded", "--root", root, "--sums", tmp_path / "sums")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "sums").read_text().splitlines() == (root.parent / "data.sha256").read_text().splitlines()


def test_where_tells_everything_about_every_set():
    output = data("where").output
    for name, dataset in DATASETS.items():
        for part in (f"{name}: {dataset.title}", dataset.licence, dataset.reference):
            assert part in output
        assert dataset.is_embedded or dataset.url in output


def test_a_run_names_every_bad_image_before_it_trains(make_params, workspace, tmp_path):
    root = tmp_path / "Mine"
    for split in ("train", "test"):
        for k in range(3):
            for kind in ("input", "target"):
                image(root / split / kind / f"{k}.png", k + 10 * (split == "test"))
    params = make_params(data_root=root)
    (root / "train" / "input" / "1.png").write_bytes(b"cut off")
    Image.new("L", (48, 48)).save(root / "train" / "target" / "2.png")
    image(root / "test" / "input" / "0.png", 10, size=40)
    with pytest.raises(ValueError, match="3 problems with the images; nothing was trained") as error:
        run.run_grid(params, workspace, Filters())
    for part in ("1.png: cannot be decoded", "2.png: expected 8-bit RGB, got a greyscale", "differ in size: 40x40"):
        assert part in str(error.value)
    assert not workspace.runs.exists() and not workspace.results.exists()


def test_a_run_names_images_that_are_too_small_and_warns_of_leaks(make_params, workspace, tmp_path, caplog):
    root = tmp_path / "Mine"
    for split in ("train", "test"):
        for kind in ("input", "target"):
            image(root / split / kind / "a.png", 1)
    with pytest.raises(ValueError, match="48x48 pixels, smaller than the training crops of 64"):
        run.run_grid(make_params(data_root=root, train={"crop_size": 64, "steps": 1}), workspace, Filters())
    assert "photograph that is trained on" in caplog.text
