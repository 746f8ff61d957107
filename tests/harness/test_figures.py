"""Figures of results, from records alone."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path
from unittest.mock import patch

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.family import read_families
from bench.figures import draw, draw_crops, files, inline_svg
from bench.figures.drawing import BLUE, GREEN, PURPLE, STYLE, VERMILION, Name, name_points
from bench.figures.front import Point, pareto_front, steps
from bench.figures.quality import draw_quality
from bench.method_record import read_methods
from bench.record import NetworkRecord, read_cell, write_record
from bench.values import write_history
from tests.browser.results import make_results, write_crops
from tests.harness.test_tables import COSTS, record

RESULTS = Path("results")
SVG = "{http://www.w3.org/2000/svg}"
SCORES = {
    "scratch": (30.0, 30.2, 30.4),
    "slkd": (30.5, 30.71, 30.89),
    "slkd@oracle": (30.3, 30.5, 30.7),
    "slkd_kl": (30.2, 30.1, 30.6),
    "fitnet": (24.0, 24.2, 24.3),
    "scratch_long": (31.0, 31.2, 31.4),
}
CONTROLS = {"slkd": "slkd@oracle", "slkd_kl": "slkd@oracle", "fitnet": "scratch"}
points = st.lists(st.builds(Point, *[st.integers(0, 9).map(float)] * 2), min_size=1)


def cell(label, psnr, seed, **changes):
    method, _, teacher = label.partition("@")
    about = {"teacher": teacher or "trained", "control": CONTROLS.get(label, ""), "terms": {"restoration": 0.1}}
    return record(method, psnr, seed, steps=9 if label == "scratch_long" else 3, **(about | changes))


def write(results, item, losses=()):
    folder = results / "cells" / item.task / item.network / f"seed{item.seed}" / item.label
    write_record(folder / f"{item.test_set}.json", item)
    if losses:
        write_history(folder / "terms.csv", [{"step": 3 * k, "restoration": loss} for k, loss in enumerate(losses, 1)])


def write_costs(results, **changes):
    for cost in COSTS:
        write_record(results / "networks" / f"nafnet_{cost.size}.json", cost.model_copy(update=changes))


def fill(results):
    """Three seeds, two test sets, a method that loses, one that is trained longer, a control, histories."""
    write_costs(results)
    for task, test_set in (("deraining", "rain_light"), ("denoising", "noise_50")):
        about = {"task": task, "test_set": test_set}
        write(results, record(psnr=34.0, role="removal", **about))
        for label, scores in SCORES.items():
            for seed, psnr in enumerate(scores):
                write(results, cell(label, psnr, seed, **about), [0.2 - psnr / 1000, 0.18 - psnr / 500])


def drawings(results):
    return {drawing.name: drawing for drawing in draw(read_families(results), read_methods(RESULTS))}


def words(figure):
    """All texts that are drawn; ticks beyond an axis have labels that are not."""
    with patch.object(Text, "draw", autospec=True) as draw_text, matplotlib.rc_context(STYLE):
        figure.draw_without_rendering()
    drawn = [call.args[0] for call in draw_text.call_args_list]
    return [text for text in drawn if text.get_visible() and text.get_text().strip()]


@pytest.fixture
def results(tmp_path):
    fill(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The drawings of such results."""
    fill(results := tmp_path_factory.mktemp("results"))
    return drawings(results)


@pytest.fixture(scope="module", params=["ablation", "baselines", "quick"])
def real(request):
    """Figures of the repository's own results, with the costs of the networks as they were measured."""
    families = read_families(RESULTS / request.param)
    return draw(families, read_methods(RESULTS))


@given(points)
def test_nothing_dominates_a_point_of_the_front(found):
    for point in pareto_front(found):
        assert not any(p != point and p.cost <= point.cost and p.quality >= point.quality for p in found)


@given(points)
def test_every_point_beside_the_front_is_dominated_by_one_of_it(found):
    front = pareto_front(found)
    for point in found:
        assert any(p.cost <= point.cost and p.quality >= point.quality for p in front)


@given(points)
def test_the_front_rises_from_point_to_point_and_its_line_goes_through_all(found):
    front = pareto_front(found)
    assert all(a.cost < b.cost and a.quality < b.quality for a, b in pairwise(front))
    corners = steps(front)
    assert set(front) <= {Point(*corner) for corner in corners}
    assert all((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairwise(corners))


def test_every_figure_has_its_section_a_title_and_a_caption(found):
    assert {name: drawing.section for name, drawing in found.items()} == {
        "quality": "cost",
        "nafnet_training_cost": "cost",
        "nafnet_gap": "gap",
        "nafnet_gap_test_sets": "gap",
        "nafnet_curves": "curves",
        "nafnet_ablation": "ablation",
    }
    for drawing in found.values():
        assert drawing.title and drawing.caption.endswith(".") and "  " not in drawing.caption


def test_nothing_is_drawn_of_nothing(tmp_path):
    assert draw([]) == [] and draw(read_families(tmp_path)) == []
    write(tmp_path, record("scratch", 30.0))
    assert draw(read_families(tmp_path)) == []


def test_students_that_cannot_be_compared_are_not_drawn(results):
    write(results, cell("fitnet", 30.0, 0, size="mini"))
    assert read_families(results)[0].unfair and drawings(results) == {}


def test_only_what_the_records_give_is_drawn(tmp_path):
    for label in ("scratch", "fitnet"):
        write(tmp_path, cell(label, 30.0, 0))
    assert drawings(tmp_path) == {}  # no cost, no teacher, no history, no ablation
    write(tmp_path, record(psnr=34.0, role="removal"))
    assert list(drawings(tmp_path)) == ["nafnet_gap"]
    write_costs(tmp_path)
    assert list(drawings(tmp_path)) == ["quality", "nafnet_gap"]


def test_a_latency_is_drawn_where_all_were_measured_alike(results):
    (quality,) = draw_quality(read_families(results))
    assert "Latency is not shown, as it was not measured" in quality.caption
    way = {"latency_iqr_ms": 1.0, "peak_memory_mb": 1.0, "batch": 1, "threads": 2, "num_runs": 9, "torch": "2"}
    for number, device in enumerate(("one", "one", "other")):
        cost = COSTS[number % 2]
        found = NetworkRecord.model_validate(
            cost.model_dump() | {"measured": way | {"latency_ms": 9.0 + number, "device": device}}
        )
        write_record(results / "networks" / f"nafnet_{cost.size}.json", found)
        (quality,) = draw_quality(read_families(results))
        assert ("latency (ms)" in [axis.get_xlabel() for axis in quality.figure.axes]) == (number == 1)
    assert "not timed on one machine" in quality.caption


def test_images_of_different_sizes_share_no_axis(results):
    write_record(results / "networks" / "nafnet_mini.json", COSTS[0].model_copy(update={"input_size": 64}))
    (quality,) = draw_quality(read_families(results))
    assert len(quality.figure.axes) == 1 and "images of 64 and 256 pixels" in quality.caption


def test_a_loss_beyond_the_axis_has_its_number(found):
    figure = found["nafnet_gap"].figure
    texts = [text.get_text() for text in words(figure)]
    assert "\u2212159" in texts  # fitnet: (24.17 - 30.2) / (34 - 30.2)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "scratch_long", "slkd", "slkd_kl", "fitnet"
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "first"), [("fakd", 0.16), ("of_a_package", 0.085)])
def test_methods_whose_term_has_another_weight_have_no_curve(results, method, first):
    """By the words of their record, however near to the student alone they begin; else by where they begin."""
    for seed in range(3):
        write(results, cell(method, 30.0, seed), [first, 0.06])
    curves = drawings(results)["nafnet_curves"]
    assert f"another weight or other steps: {method}" in curves.caption
    lower = curves.figure.axes[2]
    assert len(lower.lines) == 1 + 4  # scratch at zero; slkd, slkd_kl, fitnet, scratch_long


def test_a_method_of_known_weight_has_a_curve_wherever_it_begins(results):
    for seed in range(3):
        write(results, cell("slkd_plain", 30.0, seed), [0.4, 0.06])
    curves = drawings(results)["nafnet_curves"]
    assert "another weight" not in curves.caption and len(curves.figure.axes[2].lines) == 1 + 5


def test_a_history_without_the_term_is_named(results):
    folder = results / "cells" / "deraining" / "nafnet" / "seed0" / "slkd"
    write_history(folder / "terms.csv", [{"step": 3, "kl": 1.0}])
    with pytest.raises(ValueError, match=r"slkd/terms\.csv: expected rows with the term restoration, got the columns"):
        drawings(results)


def test_files_are_the_same_bytes_again(results, found):
    again = drawings(results)
    for name in ("quality", "nafnet_ablation"):
        first, second = (files(Path("figures"), [one[name]]) for one in (found, again))
        assert first == second and [*first] == [Path("figures") / f"{name}.svg", Path("figures") / f"{name}.pdf"]


def test_a_drawing_is_not_changed_by_being_written(found):
    drawing = found["nafnet_gap"]
    first = inline_svg(drawing)
    files(Path(), [drawing])
    assert inline_svg(drawing) == first


def test_pdf_embeds_its_fonts_as_truetype_and_has_no_date(found):
    (pdf,) = (text for path, text in files(Path(), [found["nafnet_gap"]]).items() if path.suffix == ".pdf")
    assert b"/Subtype /Type0" in pdf and b"/Type3" not in pdf and b"CreationDate" not in pdf


@pytest.mark.parametrize("name", ["quality", "nafnet_training_cost", "nafnet_gap", "nafnet_curves", "nafnet_ablation"])
def test_a_page_gets_an_svg_that_stands_alone(found, name):
    drawing = found[name]
    text = inline_svg(drawing)
    root = ET.fromstring(text)
    assert text.startswith("<svg") and root.get("role") == "img" and root.get("width") == "100%"
    named = {element.get("id"): element.text for element in root if element.tag in (f"{SVG}title", f"{SVG}desc")}
    assert root.get("aria-labelledby").split() == list(named) and [*named.values()] == [drawing.title, drawing.caption]
    assert not list(root.iter(f"{SVG}image")) and not list(root.iter(f"{SVG}style"))
    assert not re.search(r"https?:", text.replace('"http://www.w3.org/2000/svg"', ""))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids) and all(id_.startswith(f"{name}-") for id_ in ids)
    assert {ref for pair in re.findall(r'href="#([^"]+)|url\(#([^)]+)', text) for ref in pair if ref} <= set(ids)


def test_what_is_written_in_a_figure_is_text(found):
    root = ET.fromstring(inline_svg(found["nafnet_gap"]))
    assert {"slkd", "fitnet", "gap recovered (%)"} <= {element.text for element in root.iter(f"{SVG}text")}


def test_a_page_gets_only_colours_that_suit_both_themes(real):
    for drawing in real:
        text = inline_svg(drawing)
        assert "stroke: currentColor" in text
        assert {c.upper() for c in re.findall(r"#[0-9a-fA-F]{6}\b", text)} <= {BLUE, VERMILION, GREEN, PURPLE}


def test_no_text_covers_another(real):
    for drawing in real:
        boxes = {text: Text.get_window_extent(text).padded(-0.5) for text in words(drawing.figure)}
        for first, second in combinations(boxes, 2):
            assert not boxes[first].overlaps(boxes[second]), (drawing.name, first.get_text(), second.get_text())


def test_no_text_leaves_its_figure(real):
    for drawing in real:
        for text in words(drawing.figure):
            box = Text.get_window_extent(text)
            assert drawing.figure.bbox.padded(1).fully_containsx(box.x0), (drawing.name, text.get_text())
            assert drawing.figure.bbox.padded(1).fully_containsx(box.x1), (drawing.name, text.get_text())


def test_a_name_without_room_is_told():
    figure = Figure(figsize=(1, 1))
    axis = figure.subplots()
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.plot([0.5], [0.5], "o")
    assert name_points(axis, [Name("a", 0.5, 0.5), Name("a name that is far too long", 0.5, 0.5)], []) == [
        "a name that is far too long"
    ]


def test_the_median_crop_of_a_test_set_is_drawn_and_no_other(tmp_path):
    results = make_results(tmp_path, ("scratch", "output_kd", "slkd"), {"deraining": {"rain_light": 29.0}})
    write_crops(results, 0)
    assert list(draw_crops(results)) == []
    write_crops(results, 1)
    (drawing,) = draw_crops(results)
    titles = [axis.get_title().split("\n")[0] for axis in drawing.figure.axes if axis.get_title()]
    assert titles == ["degraded input", "scratch", "output_kd", "slkd", "removal teacher", "clean"]
    assert drawing.name == "nafnet_crop_deraining_rain_light" and "the median" in drawing.caption
    (path,) = (results / "cells").glob("deraining/nafnet/seed0/slkd/rain_light.json")
    write_record(path, read_cell(path).model_copy(update={"weights_sha256": "other"}))
    assert list(draw_crops(results)) == [], "its weights are no longer those on record"
