import numpy as np
import pytest
import torch
from PIL import Image

from bench.datasets.base import draw_batch
from bench.datasets.degrade import Haze, MotionBlur, Noise, Rain, UnclippedNoise, to_float
from bench.datasets.images import list_images
from bench.datasets.items import Item
from bench.datasets.layout import PairFolders
from bench.datasets.pairs import StoredPairs, SyntheticPairs, open_clean, open_folder
from bench.datasets.pictures import ImageFile

NOTHING = Noise(sigma=(0.0, 0.0))


@pytest.mark.parametrize(("first", "second"), [("degraded", "clean"), ("input", "target")])
def test_pairs_of_mixed_formats_are_matched_by_stem(write, tmp_path, first, second):
    for k in (1, 2, 10):
        write(f"{first}/im-{k}.{'webp' if k == 2 else 'png'}", seed=k)
        write(f"{second}/im-{k}.JPG", seed=k)
    pairs = open_folder(tmp_path)
    assert [pairs.name(k) for k in range(len(pairs))] == ["im-1", "im-2", "im-10"]
    degraded, clean = pairs.pair(2)
    assert degraded.shape == clean.shape == (40, 48, 3)
    assert degraded.dtype == clean.dtype == np.uint8


def test_the_words_of_published_sets_may_tell_pairs_apart(write, tmp_path):
    for scene in ("Flower", "Street"):
        for folder, word in (("input", "blur"), ("target", "sharp")):
            write(f"{folder}/{scene}_{word}1.png")
    assert [open_folder(tmp_path).name(k) for k in range(2)] == ["Flower_sharp1", "Street_sharp1"]


def test_unpaired_files_are_named(write, tmp_path):
    for name in ("degraded/a.png", "degraded/extra.png", "clean/a.png", "clean/lonely.png"):
        write(name)
    with pytest.raises(ValueError, match=r"2 image.*extra\.png.*lonely\.png"):
        open_folder(tmp_path)


def test_a_pair_of_different_sizes_is_refused_when_it_is_drawn(write, tmp_path):
    write("degraded/a.png", 40, 48)
    write("clean/a.png", 48, 40)
    with pytest.raises(ValueError, match=r"degraded/a\.png and .*clean/a\.png differ in size: 48x40 and 40x48"):
        draw_batch(open_folder(tmp_path), 0, 0, 1, 16)


def test_folders_that_are_missing_empty_or_ambiguous_are_refused(write, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        open_folder(tmp_path / "absent")
    write("degraded/a.png")
    with pytest.raises(FileNotFoundError, match=r"\{degraded,clean\}/\{name\} or .*found degraded"):
        open_folder(tmp_path)
    (tmp_path / "clean").mkdir()
    with pytest.raises(ValueError, match="no images"):
        open_folder(tmp_path)
    write("clean/a.png")
    write("input/a.png")
    write("target/a.png")
    with pytest.raises(ValueError, match="both namings"):
        open_folder(tmp_path)


def source(write, tmp_path, kind):
    for k in range(3):
        write(f"degraded/{k}.png", 40, 48, seed=k)
        write(f"clean/{k}.png", 40, 48, seed=k)
    return (
        open_folder(tmp_path, "mini") if kind == "disk" else open_clean(list_images(tmp_path / "clean"), kind, "mini")
    )


SOURCES = ["disk", Noise((10, 50)), Haze((0.5, 2)), Rain((20, 50), (0.2, 0.5)), MotionBlur((2, 20))]


@pytest.mark.parametrize("kind", SOURCES, ids=str)
def test_a_sample_does_not_depend_on_batch_size_or_order(write, tmp_path, kind):
    pairs = source(write, tmp_path, kind)
    together = draw_batch(pairs, seed=3, step=1, batch_size=4, crop_size=16)
    again = [draw_batch(source(write, tmp_path, kind), 3, i, 1, 16) for i in (7, 5, 6, 4)]
    for field in ("degraded", "clean"):
        alone = torch.cat([getattr(again[k], field) for k in (3, 1, 2, 0)])
        torch.testing.assert_close(getattr(together, field), alone, rtol=0, atol=0)
    other = draw_batch(pairs, seed=4, step=1, batch_size=4, crop_size=16)
    assert not torch.equal(other.clean, together.clean)


@pytest.mark.parametrize("kind", SOURCES, ids=str)
def test_a_batch_is_float32_in_range_and_channels_last(write, tmp_path, kind):
    batch = draw_batch(source(write, tmp_path, kind), seed=0, step=0, batch_size=2, crop_size=24)
    for images in batch:
        assert images.shape == (2, 3, 24, 24) and images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert images.min() >= 0 and images.max() <= 1
        # Values of 8-bit files, exactly as they are decoded.
        levels = (images * 255).round()
        torch.testing.assert_close(images, levels.to(torch.uint8).float() / 255, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["disk", NOTHING], ids=str)
def test_crops_of_a_pair_are_aligned(write, tmp_path, kind):
    batch = draw_batch(source(write, tmp_path, kind), seed=0, step=0, batch_size=8, crop_size=24)
    torch.testing.assert_close(batch.degraded, batch.clean, rtol=0, atol=0)


def test_crops_cover_the_whole_image_in_all_orientations(write, tmp_path):
    write("clean/a.png", 17, 18)
    pairs = open_clean(list_images(tmp_path / "clean"), NOTHING, "mini")
    batch = draw_batch(pairs, seed=0, step=0, batch_size=256, crop_size=16)
    assert len({crop.numpy().tobytes() for crop in batch.clean}) == 2 * 3 * 8


def test_an_image_smaller_than_the_crop_is_named(write, tmp_path):
    with pytest.raises(ValueError, match=r"\.png: 48x40 pixels, smaller than the training crops of 64x64"):
        draw_batch(source(write, tmp_path, "disk"), 0, 0, 1, 64)
    with pytest.raises(ValueError, match=r"\.png: 48x40 pixels, smaller"):
        draw_batch(source(write, tmp_path, NOTHING), 0, 0, 1, 64)


@pytest.mark.parametrize("kind", [*SOURCES[1:], UnclippedNoise(25)], ids=str)
def test_whole_images_are_always_degraded_the_same_way(write, tmp_path, kind):
    first, second = (source(write, tmp_path, kind).pair(1) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[0].shape == first[1].shape
    assert first[0].dtype == np.float32 and first[1].dtype == np.uint8
    clean = PairFolders().find(tmp_path)
    other_seed = SyntheticPairs(clean, kind, "mini", seed=1)
    assert not np.array_equal(other_seed.pair(1)[0], first[0])


def test_noise_that_no_file_can_hold_stays_as_it_is(write, tmp_path):
    degraded, clean = source(write, tmp_path, UnclippedNoise(50)).pair(0)
    assert degraded.min() < 0 and degraded.max() > 1
    assert (255 * (degraded - to_float(clean))).std() == pytest.approx(50, rel=0.03)


def test_what_is_no_pair_is_not_trained_on(write, tmp_path):
    item = Item("lonely", ImageFile(write("a.png")), None)
    pairs = StoredPairs([item], "real")
    assert pairs.pair(0)[1] is None
    with pytest.raises(ValueError, match="real: lonely is not a pair"):
        draw_batch(pairs, 0, 0, 1, 16)


def test_images_to_degrade_keep_their_names_beside_others(write, tmp_path):
    items = [Item("hazy", ImageFile(write("a.png")), None), Item("clear", None, ImageFile(write("b.png")))]
    pairs = SyntheticPairs(items, NOTHING, "mixed")
    assert [pairs.name(k) for k in range(len(pairs))] == ["clear"]


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
@pytest.mark.parametrize("kind", SOURCES, ids=str)
def test_crops_do_not_depend_on_what_is_kept_in_memory(write, tmp_path, kind, suffix):
    for k in range(2):
        write(f"degraded/{k}.{suffix}", 41, 47, seed=k)
        write(f"clean/{k}.{suffix}", 41, 47, seed=k)
    items = PairFolders().find(tmp_path)

    def batch(memory: int):
        stored = kind == "disk"
        pairs = StoredPairs(items, "mini", memory) if stored else SyntheticPairs(items, kind, "mini", memory=memory)
        return draw_batch(pairs, seed=1, step=0, batch_size=8, crop_size=16)

    for kept, read_again in zip(batch(2**20), batch(0), strict=True):
        torch.testing.assert_close(kept, read_again, rtol=0, atol=0)


def test_blurred_crops_do_not_reflect_where_the_image_goes_on(write, tmp_path):
    """A crop's blur must draw on the pixels around it: a ramp stays a ramp under a centred kernel, up to its edge."""
    ramp = np.broadcast_to(np.arange(0, 240, dtype=np.uint8)[None, :, None], (240, 240, 3))
    (tmp_path / "clean").mkdir()
    Image.fromarray(ramp.copy()).save(tmp_path / "clean" / "ramp.png")
    pairs = open_clean(list_images(tmp_path / "clean"), MotionBlur((12, 20)), "ramp")
    rng = np.random.default_rng(0)
    checked = 0
    for _ in range(20):
        degraded, clean = pairs.crop(rng, 32)
        if clean.min() > 13 / 255 and clean.max() < 226 / 255:  # far from the image's own borders
            np.testing.assert_allclose(degraded, clean, atol=1.01 / 255)
            checked += 1
    assert checked > 5


def test_digests_tell_images_and_degradations_apart(write, tmp_path):
    digests = {source(write, tmp_path, kind).digest() for kind in SOURCES}
    assert len(digests) == len(SOURCES)
    assert source(write, tmp_path, "disk").digest() in digests
    write("clean/0.png", 40, 48, seed=99)
    assert open_folder(tmp_path, "mini").digest() not in digests
