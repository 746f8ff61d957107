from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from bench.datasets import pictures
from bench.datasets.decoded import DecodedImages
from bench.datasets.images import read_image
from bench.datasets.pictures import CentreOfImage, HalfOfImage, ImageFile, MatBlock
from bench.datasets.windows import read_window

# What `Image.save` is told, by the kind of file.
COMPRESSED = {
    "png": ("a.png", {}),
    "jpg": ("a.jpg", {}),
    "webp": ("a.webp", {}),
    "lossless webp": ("a.webp", {"lossless": True}),
    "LZW tiff": ("a.tif", {"compression": "tiff_lzw"}),
}
PLAIN = {
    "bmp": ("a.bmp", {}),
    "tiff": ("a.tif", {}),
    "tiff in strips": ("a.tiff", {"strip_size": 500}),
    "mislabelled bmp": ("a.png", {"format": "BMP"}),
}


@pytest.fixture
def blocks(tmp_path):
    """A MATLAB file of 2 x 3 blocks, and its array."""
    array = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 7, 3), dtype=np.uint8)
    savemat(tmp_path / "blocks.mat", {"blocks": array})
    return tmp_path / "blocks.mat", array


def save(tmp_path, name, options, height=40, width=47, seed=0):
    path = tmp_path / name
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_every_picture_knows_its_size(write, blocks):
    whole = write("whole.png", 20, 30)
    found = [
        ImageFile(whole),
        HalfOfImage(whole, "left"),
        HalfOfImage(whole, "right"),
        CentreOfImage(whole, write("partner.png", 10, 14)),
        CentreOfImage(whole, whole),
        MatBlock(blocks[0], 1, 2),
    ]
    for picture in found:
        pixels = picture.read()
        assert (*picture.size(), 3) == pixels.shape and pixels.dtype == np.uint8
        assert not pixels.flags.writeable


def test_halves_and_centres_are_parts_of_the_whole(write):
    path = write("whole.png", 20, 30)
    whole = read_image(path)
    halves = [HalfOfImage(path, side).read() for side in ("left", "right")]
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), whole)
    centre = CentreOfImage(path, write("partner.png", 10, 30)).read()
    np.testing.assert_array_equal(centre, whole[5:15])


def test_an_odd_width_has_no_halves(write):
    half = HalfOfImage(write("odd.png", 20, 31), "left")
    for look in (half.size, half.read):
        with pytest.raises(ValueError, match=r"odd\.png: expected two images of one width side by side, got 31"):
            look()


@pytest.mark.parametrize("partner", [(22, 14), (10, 13), (10, 32)])
def test_a_centre_that_cannot_be_cut_is_refused(write, partner):
    centre = CentreOfImage(write("whole.png", 20, 30), write("partner.png", *partner))
    for look in (centre.size, centre.read):
        with pytest.raises(ValueError, match=r"whole\.png cannot be cut to the size of .*partner\.png: 30x20 and "):
            look()


def test_pictures_are_equal_if_their_pixels_are(write):
    path, partners = write("whole.png"), [write(f"{k}.png", 10, 10) for k in range(2)]
    assert CentreOfImage(path, partners[0]) == CentreOfImage(path, partners[1])
    others = [ImageFile(path), HalfOfImage(path, "left"), HalfOfImage(path, "right"), CentreOfImage(path, partners[0])]
    assert len(set(others)) == len(others)


def test_blocks_are_those_of_the_array(blocks):
    path, array = blocks
    for i, k in np.ndindex(array.shape[:2]):
        np.testing.assert_array_equal(MatBlock(path, i, k).read(), array[i, k])


def test_a_damaged_or_other_matlab_file_is_named(blocks, tmp_path):
    path = tmp_path / "short.mat"
    path.write_bytes(blocks[0].read_bytes()[:400])
    with pytest.raises(ValueError, match=r"short\.mat: not a readable MATLAB file"):
        MatBlock(path, 0, 0).read()
    for k, array in enumerate((np.zeros((2, 3, 4, 5, 3)), np.zeros((4, 5, 3), np.uint8))):
        savemat(tmp_path / f"other{k}.mat", {"x": array})
        with pytest.raises(ValueError, match=rf"other{k}\.mat: expected one uint8 array of shape \(images, blocks"):
            MatBlock(tmp_path / f"other{k}.mat", 0, 0).size()
    with pytest.raises(FileNotFoundError, match="absent"):
        MatBlock(tmp_path / "absent.mat", 0, 0).read()


@pytest.mark.parametrize(("name", "options"), (COMPRESSED | PLAIN).values(), ids=COMPRESSED | PLAIN)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_window_is_that_part_of_the_image(tmp_path, name, options, data):
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    path = save(tmp_path, name, options, height, width)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    rows, columns = slice(top, top + data.draw(st.integers(1, 60))), slice(left, left + data.draw(st.integers(1, 60)))
    window = read_window(ImageFile(path), rows, columns)
    np.testing.assert_array_equal(window, read_image(path)[rows, columns])
    assert not window.flags.writeable


@pytest.mark.parametrize("name", ["a.bmp", "a.tif", "a.png"])
def test_a_window_of_a_large_image(tmp_path, name):
    path = save(tmp_path, name, {}, 700, 901)  # several strips of a TIFF
    rows, columns = slice(350, 478), slice(700, 828)
    np.testing.assert_array_equal(read_window(ImageFile(path), rows, columns), read_image(path)[rows, columns])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_window_of_a_half(tmp_path, side):
    picture = HalfOfImage(save(tmp_path, "a.bmp", {}, 20, 48), side)
    rows, columns = slice(3, 9), slice(5, 21)
    np.testing.assert_array_equal(read_window(picture, rows, columns), picture.read()[rows, columns])


@pytest.mark.parametrize(("name", "options"), PLAIN.values(), ids=PLAIN)
def test_of_an_uncompressed_file_nothing_is_decoded_whole(tmp_path, monkeypatch, name, options):
    path = save(tmp_path, name, options)
    expected = read_image(path)[5:9, 3:30]

    def fail(path):
        raise AssertionError(f"{path} was decoded whole")

    monkeypatch.setattr(pictures, "read_image", fail)
    monkeypatch.setattr(Image.Image, "load", fail)
    np.testing.assert_array_equal(read_window(ImageFile(path), slice(5, 9), slice(3, 30)), expected)
    images = DecodedImages(budget=0)
    np.testing.assert_array_equal(images.window(ImageFile(path), slice(5, 9), slice(3, 30)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_that_is_to_be_turned_is_turned(tmp_path, orientation):
    path = save(tmp_path, "turned.tif", {"tiffinfo": {0x0112: orientation}}, 20, 31)
    picture, rows, columns = ImageFile(path), slice(2, 9), slice(3, 17)
    whole = picture.read()
    assert picture.size() == whole.shape[:2]
    np.testing.assert_array_equal(read_window(picture, rows, columns), whole[rows, columns])


def test_a_bottom_up_and_a_top_down_bmp_hold_the_same(tmp_path):
    path = save(tmp_path, "up.bmp", {}, 9, 5)
    header, rows = path.read_bytes()[:54], path.read_bytes()[54:]
    stride = len(rows) // 9
    flipped = b"".join(rows[k * stride : (k + 1) * stride] for k in reversed(range(9)))
    height = (-9).to_bytes(4, "little", signed=True)
    (tmp_path / "down.bmp").write_bytes(header[:22] + height + header[26:] + flipped)
    windows = [read_window(ImageFile(tmp_path / name), slice(2, 7), slice(1, 4)) for name in ("up.bmp", "down.bmp")]
    np.testing.assert_array_equal(*windows)


@pytest.mark.parametrize(("name", "options"), (COMPRESSED | PLAIN).values(), ids=COMPRESSED | PLAIN)
@pytest.mark.parametrize("cut", [40, 500])
def test_a_truncated_file_gives_an_error_and_no_zeros(tmp_path, name, options, cut):
    path = save(tmp_path, name, options)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=path.name):
        read_window(ImageFile(path), slice(0, 40), slice(0, 47))


@pytest.mark.parametrize("name", ["grey.bmp", "grey.tif", "alpha.tif", "palette.bmp", "palette.tif", "alpha.png"])
def test_a_window_of_another_pixel_format_is_refused(write, name):
    mode = {"grey": "L", "alpha": "RGBA", "palette": "P"}[name.partition(".")[0]]
    picture = ImageFile(write(name, mode=mode))
    with pytest.raises(ValueError, match=rf"{name}: expected 8-bit RGB"):
        read_window(picture, slice(0, 9), slice(0, 9))


@pytest.mark.parametrize("content", [b"", b"not an image", b"BM"])
def test_a_window_of_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "text.bmp").write_bytes(content)
    with pytest.raises(ValueError, match=r"text\.bmp: "):
        read_window(ImageFile(tmp_path / "text.bmp"), slice(0, 9), slice(0, 9))
    with pytest.raises(ValueError, match=r"absent\.bmp"):
        read_window(ImageFile(tmp_path / "absent.bmp"), slice(0, 9), slice(0, 9))


def test_a_file_of_an_unexpected_format_is_read_all_the_same(tmp_path):
    path = save(tmp_path, "really_a_ppm.png", {"format": "PPM"})
    window = read_window(ImageFile(path), slice(1, 5), slice(2, 9))
    np.testing.assert_array_equal(window, read_image(path)[1:5, 2:9])


def test_images_are_decoded_once_within_the_budget(write):
    found = [ImageFile(write(f"{k}.png", seed=k)) for k in range(3)]
    images = DecodedImages(budget=2 * 40 * 48 * 3)
    first = [images[picture] for picture in found]
    assert [images[picture] is pixels for picture, pixels in zip(found, first, strict=True)] == [True, True, False]
    for picture, pixels in zip(found, first, strict=True):
        np.testing.assert_array_equal(pixels, picture.read())
        assert not pixels.flags.writeable


def test_what_fills_no_budget_is_still_kept_later(write):
    large, small = ImageFile(write("large.png", 50, 50)), ImageFile(write("small.png", 10, 10))
    images = DecodedImages(budget=10 * 10 * 3)
    assert images[large] is not images[large]
    assert images[small] is images[small]


def test_windows_are_those_of_the_image_kept_or_not(write):
    picture, rows, columns = ImageFile(write("a.png")), slice(3, 9), slice(10, 30)
    expected = picture.read()[rows, columns]
    for budget in (0, 10**6):
        images = DecodedImages(budget)
        for _ in range(2):
            np.testing.assert_array_equal(images.window(picture, rows, columns), expected)
            assert images.size(picture) == (40, 48)


def test_windows_of_an_image_that_is_kept_do_not_look_at_the_file(write):
    picture = ImageFile(write("a.png"))
    images = DecodedImages(10**6)
    first = images.window(picture, slice(0, 4), slice(0, 4))
    picture.path.unlink()
    np.testing.assert_array_equal(images.window(picture, slice(0, 4), slice(0, 4)), first)
    assert images.size(picture) == (40, 48)


@pytest.mark.parametrize("part", ["half", "rows", "whole"])
def test_a_part_does_not_keep_the_whole(write, blocks, part):
    path = write("whole.png", 20, 30)
    picture = {
        "half": HalfOfImage(path, "left"),
        "rows": CentreOfImage(path, write("partner.png", 10, 30)),
        "whole": ImageFile(path),
    }[part]
    kept = DecodedImages(10**6)[picture]
    owner = kept
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    assert owner.nbytes == kept.nbytes and owner.base is None


def test_threads_share_what_is_kept(write):
    found = [ImageFile(write(f"{k}.png", seed=k)) for k in range(4)]
    images = DecodedImages(budget=4 * 40 * 48 * 3)  # room for each once
    together = Barrier(8)

    def read_all(_):
        together.wait()
        return [images[picture] for picture in found]

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(read_all, range(8)))
    for k, picture in enumerate(found):
        assert images[picture] is images[picture], "a picture that two threads decoded must count once"
        assert all(pixels[k] is images[picture] for pixels in seen)
