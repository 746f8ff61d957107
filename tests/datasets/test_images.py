import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.datasets.images import EXTENSIONS, digest, image_size, list_images, natural_order, read_image


def test_lossless_formats_keep_every_pixel(write, tmp_path):
    pixels = read_image(write("a.png"))
    assert pixels.shape == (40, 48, 3) and pixels.dtype == np.uint8
    for suffix in ("bmp", "tif", "tiff", "webp"):
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", lossless=True)
        np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), pixels)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("L", "greyscale"), ("RGBA", "alpha"), ("P", "palette"), ("1", "black and white")],
)
def test_other_pixel_formats_are_refused_with_the_reason(write, mode, reason):
    path = write("odd.png", mode=mode)
    with pytest.raises(ValueError, match=f"odd.png: expected 8-bit RGB, got .*{reason}"):
        read_image(path)


def test_sixteen_bit_greyscale_is_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "depth.png")
    with pytest.raises(ValueError, match=r"depth\.png: expected 8-bit RGB, got 16 bits"):
        read_image(tmp_path / "depth.png")


def test_sixteen_bit_rgb_is_refused(tmp_path):
    # Pillow writes no 16-bit RGB, so this PNG is assembled by hand.
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = zlib.compress(bytes(2 * (1 + 2 * 6)))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(png)
    with pytest.raises(ValueError, match=r"deep\.png: expected 8-bit RGB, got 16 bits"):
        read_image(tmp_path / "deep.png")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        read_image(tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_a_truncated_file_is_named(write, suffix):
    path = write(f"short.{suffix}")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=rf"short\.{suffix}: cannot be decoded"):
        read_image(path)


def test_a_file_that_is_no_image_is_named(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not an image")
    for read in (read_image, image_size):
        with pytest.raises(ValueError, match=r"text\.png"):
            read(path)


def test_the_order_is_natural_and_other_files_are_passed_over(write, tmp_path):
    names = ["im2.PNG", "im10.jpg", "im1.jpeg", "b-3.webp"]
    for name in [*names, ".hidden.png"]:
        write(name)
    (tmp_path / "notes.txt").write_text("")
    assert [path.name for path in list_images(tmp_path)] == ["b-3.webp", "im1.jpeg", "im2.PNG", "im10.jpg"]


def test_an_empty_or_missing_folder_or_two_files_of_one_stem_are_refused(write, tmp_path):
    with pytest.raises(ValueError, match="no images"):
        list_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        list_images(tmp_path / "absent")
    write("one.png")
    write("one.jpg")
    with pytest.raises(ValueError, match=r"one\.jpg and one\.png have the same stem"):
        list_images(tmp_path)


def test_sizes_come_from_the_header(write):
    assert all(image_size(write(f"a{suffix}", 12, 34)) == (12, 34) for suffix in EXTENSIONS)


def test_the_digest_depends_on_names_and_bytes_alone(write, tmp_path):
    path = write("set/a.png")
    base = path.parent

    def current() -> str:
        return digest(list_images(base), base)

    before = current()
    path.touch()
    assert current() == before == digest([path, path], base)
    renamed = path.rename(path.with_name("b.png"))
    assert current() != before
    renamed.rename(path)
    moved = base.rename(tmp_path / "elsewhere")
    assert digest(list_images(moved), moved) == before
    moved.rename(base)
    write("set/a.png", seed=1)
    assert current() != before
    with pytest.raises(FileNotFoundError, match="absent"):
        digest([base / "absent.png"], base)


@pytest.mark.parametrize("names", [("Rain.png", "rain.png"), ("STRASSE.png", "straße.jpg"), ("a.PNG", "a.tiff")])
def test_names_that_differ_in_case_or_extension_only_are_refused(write, tmp_path, names):
    for name in names:
        write(name)
    if len(list(tmp_path.glob("*.*"))) < 2:
        pytest.skip("this file system does not tell upper from lower case")
    with pytest.raises(ValueError, match=" and ".join(re.escape(name) for name in sorted(names))):
        list_images(tmp_path)


@given(st.lists(st.text("ab019-٣²", min_size=1), min_size=1))
def test_natural_order_sorts_any_names_and_never_ties_two(names):
    keys = sorted(natural_order(name) for name in names)
    assert len({str(key) for key in keys}) == len(set(names))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_in_names_are_ordered_by_value(first, second):
    assert (natural_order(f"im-{first}_x") < natural_order(f"im-{second}_x")) == (first < second)
