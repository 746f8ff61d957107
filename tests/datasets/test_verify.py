from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench import stamps
from bench.datasets import verify
from bench.datasets.alignment import best_shift
from bench.datasets.averaging import averaging_exponent
from bench.datasets.base import DATASETS, Shelf, Split
from bench.datasets.degrade import Haze, MotionBlur, Noise, Rain, to_float, to_pixels
from bench.datasets.items import Item
from bench.datasets.layout import PairFolders
from bench.datasets.pictures import ImageFile
from bench.datasets.verify import check_items, check_set
from bench.seeding import generator

SET = "rain100l"


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "data", tmp_path / "datasets")


@pytest.fixture
def root(shelf, monkeypatch):
    """The folder of a real set, of two training and two test pairs, that is as declared."""
    declared = DATASETS[SET]
    splits = {split: Split(PairFolders(split), num_items=2) for split in ("train", "test")}
    monkeypatch.setitem(DATASETS._entries, SET, replace(declared, splits=splits))
    return shelf.place(SET)


@pytest.fixture
def save():
    def save(path, pixels, **options):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, **options)
        return path

    return save


@pytest.fixture
def fill(root, save, photograph):
    """Fills the set with good pairs."""
    for k, name in enumerate(("train/{}/1", "train/{}/2", "test/{}/1", "test/{}/2")):
        clean = photograph(k)
        noisy = to_pixels(Noise((10, 10))(to_float(clean), generator(k)))
        for folder, pixels in (("input", noisy), ("target", clean)):
            save(root / f"{name.format(folder)}.png", pixels)
    return root


@pytest.fixture
def check(fill, shelf):
    """Checks the set and gives its findings as text."""
    return lambda: [f"{severity}: {text}" for severity, text in check_set(SET, shelf)]


def one(findings):
    assert len(findings) == 1, findings
    return findings[0]


def test_a_good_set_has_no_findings(check):
    assert check() == []


def test_a_set_that_is_not_there_says_where_it_belongs_and_how_to_get_it(root, shelf):
    findings = check_set(SET, shelf)
    assert {finding.severity for finding in findings} == {"error"} and len(findings) == 2
    for finding in findings:
        assert str(root) in finding.text and SET in finding.text and "data import" in finding.text


def test_a_split_of_a_real_set_that_is_not_there_is_noted(fill, check):
    (fill / "train").rename(fill / "elsewhere")
    finding = one(check())
    assert finding.startswith("note: ") and "no train images of" in finding


def test_a_split_of_an_embedded_set_that_is_not_there_is_an_error(shelf, save, photograph):
    save(shelf.embedded / "scenes" / "val" / "clean" / "000.png", photograph(0))
    findings = [finding.text for finding in check_set("scenes", shelf) if finding.severity == "error"]
    assert "train" in one(findings) and "dvc pull" in one(findings)


def test_a_truncated_image_is_named_and_no_other_check_fails_over_it(fill, check):
    for path in (fill / "train/input/2.png", fill / "train/target/1.png", fill / "test/target/2.png"):
        path.write_bytes(path.read_bytes()[:2000])
    findings = check()
    assert len(findings) == 3
    for finding, name in zip(findings, ("train/target/1", "train/input/2", "test/target/2"), strict=True):
        assert finding.startswith("error: ") and f"{name}.png: cannot be decoded" in finding and "copy it" in finding


def test_a_jpeg_that_is_called_png_is_named(fill, check, save, photograph):
    save(fill / "test/target/1.png", photograph(2), format="JPEG", quality=95)
    assert "1.png: the file is a JPEG, whatever its name says; rename it" in one(check())
    assert one(check()).startswith("warning")
    save(fill / "test/target/1.png", photograph(2), format="PPM")
    assert "1.png: the file is a PPM" in one(check())


def test_pairs_of_different_sizes_are_named(fill, check, save, photograph):
    save(fill / "test/input/1.png", photograph(2)[:, :-1])
    finding = one(check())
    assert finding.startswith("error") and "differ in size: 127x96 and 128x96 pixels" in finding
    assert "test/input/1.png" in finding and "test/target/1.png" in finding


@pytest.mark.parametrize("shift", [(0, 1), (-1, 0), (1, 1), (2, -2)])
def test_a_pair_that_is_a_pixel_off_is_named(fill, check, save, photograph, shift):
    moved = np.roll(photograph(2), shift, axis=(0, 1))
    save(fill / "test/input/1.png", to_pixels(Noise((5, 5))(to_float(moved), generator(0))))
    finding = one(check())
    assert finding.startswith("warning") and "1 of 2 pairs look shifted" in finding and f"1 by {shift}" in finding


@pytest.mark.parametrize(
    ("mode", "said"), [("L", "greyscale"), ("RGBA", "alpha"), ("P", "palette"), ("I;16", "16 bits a channel")]
)
def test_other_pixel_formats_are_named(fill, check, photograph, mode, said):
    path = fill / "test/input/1.png"
    if mode == "I;16":
        Image.fromarray(photograph(2)[..., 0].astype(np.uint16)).save(path)
    else:
        Image.fromarray(photograph(2)).convert(mode).save(path)
    finding = one(check())
    assert finding.startswith("error") and "input/1.png: expected 8-bit RGB, got " in finding and said in finding


def test_an_empty_folder_is_named(fill, check):
    for path in (fill / "train/target").iterdir():
        path.unlink()
    finding = one(check())
    assert finding.startswith(f"error: {SET}, train: ") and "train/target: no images in this folder" in finding


def test_names_that_differ_in_case_are_named(fill, check, save, photograph):
    for name in ("A.png", "a.png"):
        save(fill / "test/input" / name, photograph(5))
    if len(list((fill / "test/input").iterdir())) < 4:
        pytest.skip("this file system does not tell upper from lower case")
    assert one(check()).startswith("error") and "A.png and a.png have the same stem" in one(check())


@pytest.mark.parametrize("target", ["nowhere.png", "1.png"], ids=["nowhere", "itself"])
def test_a_link_that_leads_nowhere_is_named(fill, check, target):
    path = fill / "train/input/1.png"
    path.unlink()
    path.symlink_to(target)
    assert one(check()).startswith("error") and "train/input/1.png: a symbolic link" in one(check())


def test_a_loop_of_folders_is_no_obstacle(fill, check):
    (fill / "train" / "loop").symlink_to("..")
    (fill / "train/input" / "loop").symlink_to("..")
    assert check() == []


def test_lonely_images_are_named(fill, check):
    (fill / "test/target/2.png").unlink()
    assert one(check()).startswith(f"error: {SET}, test: 1 image(s) without a partner: ")


def test_any_names_pass(tmp_path, save, photograph):
    for name in ("with space", "雨", "naïve\tname", "line\u2028break", "100%"):
        for folder in ("input", "target"):
            save(tmp_path / "mein Ordner ü" / folder / f"{name}.png", photograph(0))
    assert check_items(PairFolders().find(tmp_path / "mein Ordner ü")) == []


def test_findings_about_any_names_come_back_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "SMALL", 0)
    path = tmp_path / "line\u2028break\n.png"
    path.write_text("no image")
    items = [Item("x", ImageFile(path), None)]
    assert check_items(items) == check_items(items)
    assert str(path) in check_items(items)[0].text


def test_another_number_than_published_is_said(fill, check, save, photograph):
    for folder in ("input", "target"):
        save(fill / "test" / folder / "3.png", photograph(9))
    finding = one(check())
    assert finding.startswith(f"warning: {SET}, test: published with 2 images, found 3;")


def test_a_test_photograph_that_is_trained_on_is_an_error(fill, check, save, photograph):
    for folder in ("input", "target"):
        save(fill / "train" / folder / "1.png", photograph(2)[:, ::-1])
    finding = one(check())
    assert finding.startswith(f"error: {SET}: 1 test image(s) show a photograph that is trained on")
    assert "test/target/1.png is " in finding and "train/target/1.png" in finding


@pytest.mark.parametrize(
    "degradation",
    [
        Rain((20, 60), (0.2, 0.6)),
        Noise((15, 15)),
        Noise((50, 50)),
        Haze((0.5, 2)),
        MotionBlur((2, 8)),
        MotionBlur((8, 26)),
    ],
    ids=str,
)
def test_degraded_images_in_their_place_do_not_look_shifted(photograph, degradation):
    for k in range(12):
        clean = photograph(k, 160, 160)
        margin = degradation.margin
        wide = np.pad(clean, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        degraded = to_pixels(degradation(to_float(wide), generator(k)))
        assert best_shift(degraded, clean) == (0, 0)


def test_of_small_or_flat_images_no_shift_is_told(photograph):
    small = photograph(0, 30, 30)
    assert best_shift(small, small) is None
    flat = np.full((96, 96, 3), 7, np.uint8)
    assert best_shift(photograph(0, 96, 96), flat) is None
    assert best_shift(flat, photograph(0, 96, 96)) in (None, (0, 0))


@pytest.mark.parametrize(("gamma", "low", "high"), [(1.0, 0.7, 1.3), (2.2, 1.8, 2.6)])
def test_how_frames_were_averaged_shows(tmp_path, save, photograph, gamma, low, high):
    """Frames of a scene that moves; what enters on one side leaves on the other, so that the mean stays."""
    exponents = []
    for k in range(8):
        frames = [to_float(np.roll(photograph(k, 160, 200), 3 * n, axis=1)) for n in range(11)]
        blurred = np.mean([frame**gamma for frame in frames], axis=0) ** (1 / gamma)
        paths = save(tmp_path / "blur.png", to_pixels(blurred)), save(tmp_path / "sharp.png", to_pixels(frames[5]))
        exponents.append(averaging_exponent(Item("x", *map(ImageFile, paths))))
    assert all(exponent is not None for exponent in exponents)
    assert low < np.median(exponents) < high


def test_of_other_images_no_exponent_is_told(tmp_path, save, photograph, write):
    same = ImageFile(save(tmp_path / "a.png", photograph(0)))
    darker = ImageFile(save(tmp_path / "b.png", photograph(0) // 2))
    damaged = ImageFile(tmp_path / "damaged.png")
    damaged.path.write_bytes(b"damaged")
    for degraded, clean in ((same, same), (darker, same), (damaged, same), (same, None), (None, same)):
        assert averaging_exponent(Item("x", degraded, clean)) is None


def test_a_set_of_blurred_frames_says_how_they_were_averaged(shelf, save, photograph, monkeypatch):
    monkeypatch.setitem(
        DATASETS._entries,
        "gopro",
        replace(DATASETS["gopro"], splits={"test": Split(PairFolders("test"), num_items=3)}),
    )
    for k in range(3):
        frames = [to_float(np.roll(photograph(k, 160, 200), 3 * n, axis=1)) for n in range(11)]
        save(shelf.place("gopro") / f"test/input/{k}.png", to_pixels(np.mean(frames, axis=0)))
        save(shelf.place("gopro") / f"test/target/{k}.png", to_pixels(frames[5]))
    severity, text = one(check_set("gopro", shelf))
    assert severity == "note" and text.startswith("gopro, test: ") and "the frames themselves were averaged" in text
    (shelf.place("gopro") / "test/input/1.png").write_bytes(b"damaged")
    assert [finding.severity for finding in check_set("gopro", shelf)] == ["error", "note"]


@pytest.fixture
def looks(monkeypatch):
    """The items that were looked at, where every set counts as large."""
    seen = []
    look = verify._check_item
    monkeypatch.setattr(stamps, "SMALL", 0)
    monkeypatch.setattr(verify, "_check_item", lambda item: seen.append(item.name) or look(item))
    return seen


def test_what_was_found_about_a_large_set_is_remembered(fill, check, looks, save, photograph):
    save(fill / "test/input/1.png", np.roll(photograph(2), 1, axis=1))
    findings = check()
    assert len(findings) == 1 and len(looks) == 4
    assert check() == findings and len(looks) == 4
    save(fill / "test/input/1.png", photograph(2))
    assert check() == [] and len(looks) == 6


def test_errors_are_looked_at_again_since_a_failure_to_read_may_pass(fill, check, looks, save, photograph):
    save(fill / "test/input/1.png", photograph(2)[:, :-1])
    assert len(check()) == len(check()) == 1
    assert len(looks) == 6, "the training pairs once, the test pairs twice"


def test_what_was_found_is_forgotten_when_pairs_change_their_partners(tmp_path, looks, save, photograph):
    first = [ImageFile(save(tmp_path / f"{k}.png", photograph(k, 96 + k))) for k in range(2)]
    second = [ImageFile(save(tmp_path / f"{k}_clean.png", photograph(k, 96 + k))) for k in range(2)]
    crossed = [Item("0", first[0], second[1]), Item("1", first[1], second[0])]
    assert len(check_items(crossed)) == 2
    assert check_items([Item(str(k), first[k], second[k]) for k in range(2)]) == []


def test_all_items_are_looked_at_however_many_at_once(tmp_path, monkeypatch, write):
    monkeypatch.setattr(verify, "READ_AT_ONCE", 2)
    items = [Item(str(k), ImageFile(write(f"{k}.png", mode="L")), None) for k in range(5)]
    assert len(check_items(items)) == 5


def test_one_file_is_complained_about_once(tmp_path, write):
    shared = ImageFile(write("clean.png", mode="L"))
    items = [Item(str(k), ImageFile(write(f"{k}.png")), shared) for k in range(3)]
    assert "clean.png" in one(check_items(items)).text
