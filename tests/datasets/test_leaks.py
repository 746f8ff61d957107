import numpy as np
import pytest
from PIL import Image

from bench.datasets import leaks
from bench.datasets.items import Item
from bench.datasets.leaks import find_leaks
from bench.datasets.pictures import HalfOfImage, ImageFile


@pytest.fixture
def clean(tmp_path):
    """Saves a picture and makes an item of it, as the clean image."""

    def save(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
        image.save(path, **options)
        return Item(name, None, ImageFile(path))

    return save


def brighter(pixels):
    return (255 * (pixels / 255) ** 0.8).astype(np.uint8)


CHANGES = {
    "same": lambda pixels: pixels,
    "brighter": brighter,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "transposed": lambda pixels: pixels.transpose(1, 0, 2),
    **{f"turned {k}": lambda pixels, k=k: np.rot90(pixels, k) for k in (1, 2, 3)},
    "halved": lambda pixels: Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC),
    "enlarged": lambda pixels: Image.fromarray(pixels).resize((200, 150), Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_photograph_that_is_trained_on_is_found(clean, photograph, change, suffix):
    train = [clean(f"train/{k}.png", photograph(k)) for k in range(8)]
    test = [clean(f"test/{k}.png", photograph(100 + k)) for k in range(3)]
    test.append(clean(f"test/leak.{suffix}", CHANGES[change](photograph(5))))
    (line,) = find_leaks(train, test)
    assert line.startswith("1 test image(s)")
    assert f"test/leak.{suffix} is " in line and "train/5.png" in line and "remove" in line


def test_different_photographs_are_no_leak(clean, photograph):
    items = [clean(f"{k}.jpg", photograph(k), quality=60) for k in range(80)]
    assert list(find_leaks(items[:40], items[40:])) == []


def test_crops_of_one_photograph_that_do_not_overlap_are_no_leak(clean, photograph):
    whole = photograph(0, 192, 256)
    assert list(find_leaks([clean("a.png", whole[:, :128])], [clean("b.png", whole[:, 128:])])) == []


@pytest.mark.parametrize("chunk", [1, 7, 2**22])
def test_all_are_found_however_many_are_compared_at_once(clean, photograph, monkeypatch, chunk):
    monkeypatch.setattr(leaks, "CHUNK", chunk)
    monkeypatch.setattr(leaks, "READ_AT_ONCE", 4)
    train = [clean(f"train/{k}.png", photograph(k)) for k in range(9)]
    test = [clean(f"test/{k}.png", photograph(k)) for k in range(2, 9)]
    (line,) = find_leaks(train, test)
    assert line.startswith("7 test image(s)") and ", ...;" in line
    assert all(f"test/{k}.png is {train[k].clean.path}" in line for k in range(2, 7))


def test_clean_images_are_compared_and_each_once(clean, photograph, tmp_path):
    shared, rain = clean("clean.png", photograph(0)).clean, clean("rain.png", photograph(1)).clean
    train = [Item(str(k), rain, shared) for k in range(3)]
    test = [Item(str(k), rain, clean("copy.png", photograph(0)).clean) for k in range(3)]
    (line,) = find_leaks(train, test)
    assert line.startswith("1 test image(s)") and "rain.png" not in line


def test_degraded_images_are_compared_where_there_are_no_others(clean, photograph):
    train = [Item("train", clean("hazy.png", photograph(0)).clean, None)]
    assert len(list(find_leaks(train, [clean("test.png", photograph(0))]))) == 1


def test_parts_of_files_are_compared(clean, photograph):
    both = clean("both.png", np.concatenate([photograph(0), photograph(1)], axis=1)).clean.path
    train = [Item("0", HalfOfImage(both, "left"), HalfOfImage(both, "right"))]
    assert list(find_leaks(train, [clean("left.png", photograph(0))])) == []
    assert len(list(find_leaks(train, [clean("right.png", photograph(1))]))) == 1


def test_images_without_structure_are_no_leak(clean):
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None], (96, 128, 3))
    flat = [np.full((96, 128, 3), level, np.uint8) for level in (0, 90, 255)]
    items = [clean(f"{k}.png", pixels) for k, pixels in enumerate([*flat, ramp, ramp[:, ::-1] + 9])]
    assert list(find_leaks(items[:2], items[2:])) == []
    assert list(find_leaks(items[3:4], items[4:])) == []


def test_damaged_images_are_passed_over(clean, photograph):
    train = [clean(f"train/{k}.png", photograph(k)) for k in range(3)]
    test = [clean(f"test/{k}.png", photograph(k)) for k in range(2)]
    for item in (train[0], test[1]):
        item.clean.path.write_bytes(b"damaged")
    train[2].clean.path.unlink()
    assert list(find_leaks(train, test)) == []
    assert list(find_leaks([], test)) == list(find_leaks(train, [])) == []
