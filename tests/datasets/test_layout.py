import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from bench.datasets.items import Item, named
from bench.datasets.layout import Clean, Degraded, Listed, MatBlocks, PairFolders, Pairs, SideBySide
from bench.datasets.pictures import ImageFile, MatBlock
from bench.datasets.template import find_files, template_names

LAYOUTS = [
    Pairs("a/{scene}_{variant}.png", "b/{scene}.png"),
    Listed("list.txt", "degraded clean"),
    SideBySide("both/{name}.jpg", "left"),
    MatBlocks("noisy.mat", "gt.mat"),
    Clean(("a/{name}.png", "b/{name}.png")),
    Degraded("a/{name}.png"),
    PairFolders(),
    PairFolders("test"),
]


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(items):
    return [item.name for item in items]


def fields(root, template):
    return [dict(file.fields) for file in find_files(root, template)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_where_there_is_nothing_of_it_nothing_is_found(tmp_path, layout):
    assert layout.find(tmp_path) == []
    assert layout.find(tmp_path / "absent") == []
    assert layout.find(touch(tmp_path, "file") / "file") == []
    assert len(str(layout).splitlines()) == 1


def test_a_name_stands_for_the_shortest_text_that_fits(tmp_path):
    touch(tmp_path, "0001_0.8_0.2.jpg")
    assert fields(tmp_path, "{scene}_{haze}.jpg") == [{"scene": "0001", "haze": "0.8_0.2"}]


def test_a_name_stands_for_the_same_text_wherever_it_appears(tmp_path):
    touch(tmp_path, "7/7-2/7-2_0.png", "7/8-2/8-2_0.png", "7/7-2/7-3_0.png")
    assert fields(tmp_path, "{v}/{v}-{n}/{v}-{n}_{k}.png") == [{"v": "7", "n": "2", "k": "0"}]
    assert fields(touch(tmp_path, "x-x.png", "x-y.png"), "{a}-{a}.png") == [{"a": "x"}]


def test_text_outside_the_braces_is_taken_literally(tmp_path):
    touch(tmp_path, "a+b (1).png", "aab (1).png", "a.b-1.png", "axb-1.png")
    assert fields(tmp_path, "a+b ({n}).png") == [{"n": "1"}]
    assert fields(tmp_path, "a.b-{n}.png") == [{"n": "1"}]
    touch(tmp_path, "x(y)/x(y)-1.png", "x(y)/xy-1.png")
    assert fields(tmp_path, "{f}/{f}-{n}.png") == [{"f": "x(y)", "n": "1"}]


def test_any_image_format_and_case_of_its_extension_is_found(tmp_path):
    touch(tmp_path, "1.PNG", "2.JPEG", "3.tif", "4.WebP", "5.bmp", "6.txt", "7.png.bak", "8", ".9.png")
    assert [file["n"] for file in fields(tmp_path, "{n}.jpg")] == ["1", "2", "3", "4", "5"]


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    touch(tmp_path, "a/1.png", "a/._1.png", ".b/1.png")
    assert fields(tmp_path, "{f}/{n}.png") == [{"f": "a", "n": "1"}]


def test_a_folder_that_is_named_like_an_image_is_none(tmp_path):
    touch(tmp_path, "1.png", "2.png/inside.png")
    assert fields(tmp_path, "{n}.png") == [{"n": "1"}]
    touch(tmp_path, "input/1.png", "input/2.png/inside.png", "target/1.png")
    assert names(PairFolders().find(tmp_path)) == ["1"]


@given(st.lists(st.sampled_from(["a", "b_c", "scene2"]), max_size=5))
def test_names_of_a_template_are_told_once_in_order(wanted):
    template = "/".join(f"x{{{name}}}y" for name in wanted)
    assert template_names(template) == list(dict.fromkeys(wanted))


def test_one_clean_image_may_have_many_degraded_versions(tmp_path):
    touch(tmp_path, "rain/1_1.jpg", "rain/1_2.jpg", "rain/1_10.jpg", "rain/2_1.jpg", "gt/1.png", "gt/2.png")
    items = Pairs("rain/{scene}_{k}.jpg", "gt/{scene}.jpg").find(tmp_path)
    assert names(items) == ["1_1", "1_2", "1_10", "2_1"]
    assert [item.clean.path.name for item in items] == ["1.png"] * 3 + ["2.png"]
    assert items[0].clean == items[1].clean != items[3].clean


def test_lonely_files_of_both_sides_are_named(tmp_path):
    touch(tmp_path, "rain/1_1.jpg", "rain/8_1.jpg", "gt/1.jpg", "gt/9.jpg")
    with pytest.raises(ValueError, match=r"2 image\(s\) without a partner: .*8_1\.jpg.*9\.jpg; complete"):
        Pairs("rain/{scene}_{k}.jpg", "gt/{scene}.jpg").find(tmp_path)


def test_a_folder_of_clean_images_that_serves_other_splits_may_hold_more(tmp_path):
    touch(tmp_path, "rain/1_1.jpg", "gt/1.jpg", "gt/9.jpg")
    assert names(Pairs("rain/{scene}_{k}.jpg", "gt/{scene}.jpg", is_shared=True).find(tmp_path)) == ["1_1"]
    touch(tmp_path, "rain/8_1.jpg")
    with pytest.raises(ValueError, match=r"1 image\(s\) .*8_1\.jpg"):
        Pairs("rain/{scene}_{k}.jpg", "gt/{scene}.jpg", is_shared=True).find(tmp_path)


def test_many_lonely_files_are_counted_and_a_few_named(tmp_path):
    touch(tmp_path, *(f"input/{k}.png" for k in range(30)), "target/x.png")
    with pytest.raises(ValueError, match=r"31 image\(s\) without a partner: ([^,]*, ){5}\.\.\.; complete"):
        PairFolders().find(tmp_path)


@pytest.mark.parametrize("second", ["A_1.png", "a_1.jpg", "a_1.PNG"])
def test_two_files_whose_names_differ_by_case_or_extension_are_refused(tmp_path, second):
    touch(tmp_path, "rain/a_1.png", f"rain/{second}", "gt/a.png", "gt/A.png")
    if len(list((tmp_path / "rain").iterdir())) < 2:
        pytest.skip("this file system does not tell upper from lower case")
    with pytest.raises(ValueError, match=r"rain/.*rain/.* have the same name but for case or extension"):
        find_files(tmp_path, "rain/{scene}_{k}.png")


@pytest.mark.parametrize("target", ["nowhere.png", "1.png"], ids=["nowhere", "itself"])
@pytest.mark.parametrize("layout", [Degraded("input/{n}.png"), PairFolders()], ids=str)
def test_a_link_that_leads_nowhere_is_named(tmp_path, layout, target):
    touch(tmp_path, "input/2.png", "target/1.png", "target/2.png")
    (tmp_path / "input" / "1.png").symlink_to(target)
    with pytest.raises(ValueError, match=r"input/1\.png: a symbolic link that leads nowhere or to itself"):
        layout.find(tmp_path)


def test_links_to_files_and_folders_are_followed(tmp_path):
    touch(tmp_path, "real/1.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to("../real")
    (tmp_path / "set" / "b").mkdir()
    (tmp_path / "set" / "b" / "2.png").symlink_to("../../real/1.png")
    assert names(Degraded("{folder}/{n}.png").find(tmp_path / "set")) == ["a/1", "b/2"]


def test_a_loop_of_links_ends(tmp_path):
    touch(tmp_path, "a/1.png")
    (tmp_path / "a" / "loop").symlink_to("..")
    (tmp_path / "itself").symlink_to("itself")
    assert names(Degraded("{one}/{n}.png").find(tmp_path)) == ["1"]
    assert names(Degraded("{one}/{two}/{three}/{n}.png").find(tmp_path)) == ["1"]


def test_spaces_and_letters_of_other_alphabets_are_kept(tmp_path):
    root = touch(
        tmp_path / "mein Ordner ü", "input/雨 (1).png", "input/été é.jpg", "target/雨 (1).png", "target/été é.png"
    )
    assert sorted(names(PairFolders().find(root))) == ["été é", "雨 (1)"]
    layout = Pairs("input/{name}.png", "target/{name}.png")
    assert sorted(names(layout.find(root))) == ["été é", "雨 (1)"]


def test_names_are_unique_and_in_natural_order(tmp_path):
    touch(tmp_path, *(f"set/{video}/{frame}.png" for video in ("v10", "v2") for frame in ("10", "9", "09")))
    found = names(Degraded("set/{video}/{frame}.png").find(tmp_path))
    assert found == ["v2/09", "v2/9", "v2/10", "v10/09", "v10/9", "v10/10"]


def test_all_templates_of_clean_images_belong_to_the_split(tmp_path):
    touch(tmp_path, "images/train/1.jpg", "images/test/1.jpg", "images/val/1.jpg")
    items = Clean(("images/train/{n}.jpg", "images/test/{n}.jpg")).find(tmp_path)
    assert names(items) == ["test/1", "train/1"]
    assert all(item.degraded is None and len(item.pictures) == 1 for item in items)


def test_two_items_of_one_name_are_refused(tmp_path):
    touch(tmp_path, "a.png", "a.jpg")
    with pytest.raises(ValueError, match=r"a\.png and .*a\.jpg would both be called 'a'"):
        named(Item("", ImageFile(tmp_path / name), None) for name in ("a.png", "a.jpg"))


@pytest.mark.parametrize("order", ["degraded clean", "clean degraded"])
def test_a_list_says_which_two_belong_together(tmp_path, order):
    touch(tmp_path, "lists/noisy/b.png", "lists/noisy/a.png", "lists/gt/x.png", "lists/gt/y.png")
    lines = [("/noisy/b.png", "gt/x.png"), ("noisy/a.png", "/gt/y.png")]
    ordered = [pair if order == "degraded clean" else pair[::-1] for pair in lines]
    text = "\n\n".join(" \t".join(pair) for pair in ordered) + "\n"
    (tmp_path / "lists" / "all.txt").write_text(text.replace("\n", "\r\n"), encoding="utf-8-sig")
    items = Listed("lists/all.txt", order).find(tmp_path)
    assert [(item.name, item.degraded.path.name, item.clean.path.name) for item in items] == [
        ("a", "a.png", "y.png"),
        ("b", "b.png", "x.png"),
    ]


def test_a_list_of_something_else_is_refused(tmp_path):
    path = tmp_path / "list.txt"
    layout = Listed("list.txt", "degraded clean")
    path.write_text("a.png b.png\nc d.png e.png\n")
    with pytest.raises(ValueError, match=r"list\.txt, line 2: expected two paths \(degraded clean\), got 3 words"):
        layout.find(tmp_path)
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ValueError, match=r"list\.txt: expected a list of paths in UTF-8"):
        layout.find(tmp_path)


def test_what_a_list_names_and_is_missing_is_said(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "list.txt").write_text("a.png b.png\nc.png b.png\n")
    with pytest.raises(ValueError, match=r"list\.txt lists 1 file\(s\) that are not there: .*c\.png"):
        Listed("list.txt", "degraded clean").find(tmp_path)


def test_a_degraded_image_that_is_listed_twice_is_refused(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    (tmp_path / "list.txt").write_text("a.png b.png\na.png b.png\n")
    with pytest.raises(ValueError, match="would both be called 'a'"):
        Listed("list.txt", "degraded clean").find(tmp_path)


@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_a_file_may_hold_both_images(tmp_path, side, other):
    (item,) = SideBySide("{n}.jpg", side).find(touch(tmp_path, "1.png"))
    assert item.name == "1" and (item.degraded.side, item.clean.side) == (side, other)


def save_blocks(path, shape=(2, 3, 4, 5, 3), kind=np.uint8):
    savemat(path, {"blocks": np.zeros(shape, kind)})


def test_blocks_of_matlab_files_are_numbered_from_one(tmp_path):
    for name in ("noisy.mat", "gt.mat"):
        save_blocks(tmp_path / name)
    items = MatBlocks("noisy.mat", "gt.mat").find(tmp_path)
    assert names(items) == ["1_1", "1_2", "1_3", "2_1", "2_2", "2_3"]
    assert items[-1] == Item("2_3", MatBlock(tmp_path / "noisy.mat", 1, 2), MatBlock(tmp_path / "gt.mat", 1, 2))


def test_matlab_files_that_do_not_match_are_refused(tmp_path):
    layout = MatBlocks("noisy.mat", "gt.mat")
    save_blocks(tmp_path / "noisy.mat")
    with pytest.raises(ValueError, match=r"without a partner: .*noisy\.mat"):
        layout.find(tmp_path)
    save_blocks(tmp_path / "gt.mat", (2, 2, 4, 5, 3))
    with pytest.raises(ValueError, match=r"differ in shape: \(2, 3, 4, 5, 3\) and \(2, 2, 4, 5, 3\)"):
        layout.find(tmp_path)
    (tmp_path / "gt.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut short")
    with pytest.raises(ValueError, match=r"gt\.mat: not a readable MATLAB file"):
        layout.find(tmp_path)


def test_files_that_could_belong_to_the_same_partner_are_refused(tmp_path):
    touch(tmp_path, "input/a_blur.png", "input/a_rainy.png", "target/a_sharp.png")
    with pytest.raises(ValueError, match=r"a_blur\.png and .*a_rainy\.png could both belong to the same partner"):
        PairFolders().find(tmp_path)


def test_a_file_name_that_is_no_unicode_is_found(tmp_path):
    touch(tmp_path, "a/1.png")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system takes nothing but Unicode")
    assert len(Degraded("a/{n}.png").find(tmp_path)) == 2
