"""The results page as text: what it shows, where that comes from, and that it needs nothing else."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from bench.family import read_families
from bench.figures import draw
from bench.method_record import read_methods
from bench.page import inputs, render
from bench.page.numbers import explained
from bench.page.sheet import ABSENT, Number, Row, by_first_column
from bench.page.words import kind_of, prose
from bench.record import read_cell, read_network, write_record
from tests.browser.results import COMMIT, REPOSITORY, make_results, write_crops
from tests.harness.test_tables import record

TASKS = {"deraining": {"rain_light": 29.0, "rain_heavy": 20.0}, "denoising": {"noise_50": 15.0}}
ROWS = ("scratch", "scratch_long", "fitnet", "output_kd", "output_kd@oracle", "slkd", "slkd_kl")


class Reader(HTMLParser):
    """Tables by the id of their section: bodies by class, rows by their labels; and where elements lead."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.bodies, self.row, self.cell = {}, None, None, None
        self.links, self.loads, self.ids = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "section" and attributes.get("class") == "sheet":
            self.bodies = self.tables[attributes["id"]] = {}
        elif tag in ("thead", "tbody"):
            self.body = self.bodies.setdefault(attributes.get("class", "head"), {})
        elif tag == "tr":
            self.row = []
            self.body[attributes.get("data-label", len(self.body))] = self.row
        elif tag in ("td", "th"):
            self.row.append("")
            self.cell = True
        elif tag == "a":
            self.links.append(attributes["href"])
        else:
            self.loads += [attributes[key] for key in ("src", "href", "srcset", "data") if key in attributes]

    def handle_endtag(self, tag):
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.cell:
            self.row[-1] += data


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    write_crops(make_results(root, ROWS, TASKS))
    return root


@pytest.fixture(scope="module")
def html(root):
    results = root / "results" / "grid"
    return render(results, root, draw(read_families(results), read_methods(root / "results")))


@pytest.fixture(scope="module")
def page(html):
    return Reader(html)


def plain(root):
    """The page without figures, which take their time and are tested elsewhere."""
    return render(root / "results" / "grid", root, [])


@pytest.fixture
def small(tmp_path):
    return make_results(tmp_path, ("scratch", "output_kd"), {"deraining": {"rain_light": 29.0}}, seeds=(0, 1))


def evidence(html):
    return json.loads(re.search(r'id="evidence">(.*?)</script>', html, re.DOTALL)[1])


def test_every_task_has_a_table_and_all_have_an_overview(page):
    scores = [name for name in page.tables if not name.endswith(("networks", "effects", "slkd"))]
    assert scores == ["nafnet-overview", "nafnet-deraining", "nafnet-denoising"]


def test_a_number_is_the_mean_over_the_seeds_with_its_interval(page, root):
    files = sorted((root / "results/grid/cells/denoising/nafnet").glob("seed*/slkd/noise_50.json"))
    values = [read_cell(path).metrics["psnr_db"] for path in files]
    mean = sum(values) / 3
    deviation = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    half_width = 4.302653 * deviation / 3**0.5  # the 97.5 % quantile of Student's t with two degrees of freedom
    assert page.tables["nafnet-denoising"]["measured"]["slkd"][1] == f"{mean:.2f} ± {half_width:.2f}"


def test_degraded_input_and_teachers_stand_on_top_and_others_by_their_mean(page):
    table = page.tables["nafnet-overview"]
    assert list(table["pinned"]) == ["degraded input", "removal teacher"]
    means = [float(row[1].split(" ")[0]) for row in table["measured"].values()]
    assert means == sorted(means, reverse=True) and len(means) == len(ROWS)


def test_numbers_of_others_stand_apart_with_the_difference_of_their_protocol(page, html):
    (banner,), row = page.tables["nafnet-deraining"]["elsewhere"].values()
    assert banner.startswith("Reported elsewhere") and row[:3] == ["PReNet1", "37.48", "0.979"]
    assert row[-2:] == ["0.169", ABSENT]
    assert "PReNet" not in page.tables["nafnet-deraining"]["measured"]
    assert "PSNR: uint8:trunc, here uint8:round" in html
    assert "elsewhere" not in page.tables["nafnet-denoising"]


def test_a_number_leads_to_its_values_files_and_commands(html):
    found = evidence(html)
    texts = found["texts"]
    number = int(re.search(r'data-label="slkd">.*?data-entry="(\d+)"', html.partition('id="nafnet-denoising"')[2])[1])
    entry = found["entries"][number]
    title, value, _, (number,), files = entry
    (row, seeds), sources = found["rows"][number], found["lines"][files]
    assert texts[title] == "slkd, nafnet, denoising: noise_50" and texts[row] == "slkd"
    assert float(texts[value].split(" ")[0]) == pytest.approx(sum(value for _, value in seeds) / 3, abs=0.006)
    paths = [texts[found["sources"][source][0]] for source in sources]
    assert paths == [f"results/grid/cells/denoising/nafnet/seed{seed}/slkd/noise_50.json" for seed in range(3)]
    lines = {texts[topic]: texts[text].replace("\0", paths[0]) for topic, text in found["sources"][sources[0]][1]}
    assert lines["again"].startswith(f"git checkout {COMMIT[:12]} && python -m bench.run --task denoising")
    assert lines["compare"] == f"python -m bench verify {paths[0]}"


def test_every_score_of_a_table_leads_somewhere(html):
    count = len(evidence(html)["entries"])
    entries = [int(number) for number in re.findall(r'data-entry="(\d+)"', html)]
    assert sorted(entries) == list(range(count)) and count > 200


def test_an_effect_is_over_the_control_and_made_from_both(html, page):
    header = page.tables["nafnet-effects"]["head"][1]
    assert header[:3] == ["gain (dB)", "gap", "effect (dB)"]
    cells = page.tables["nafnet-effects"]["measured"]
    assert cells["output_kd"][3].startswith(("+", "\N{MINUS SIGN}")) and cells["output_kd@oracle"][3] == ABSENT
    found = evidence(html)
    behind = {tuple(found["texts"][found["rows"][row][0]] for row in entry[3]) for entry in found["entries"]}
    assert ("output_kd", "output_kd@oracle") in behind


def test_ablations_are_compared_with_what_they_are_an_ablation_of(page):
    found = page.tables["nafnet-ablation-slkd"]["measured"]
    assert found.keys() == {"scratch", "slkd", "slkd_kl"}
    assert found["slkd"][3] == ABSENT and found["slkd_kl"][3] != ABSENT


def test_links_within_the_page_lead_somewhere_and_ids_are_there_once(page):
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_the_page_loads_nothing_and_runs_no_other_script(page, html):
    assert all(link.startswith(("data:", "#")) for link in page.loads)
    assert all(link.startswith(("https://", "#")) for link in page.links)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in html
    assert not re.search(r"\son\w+=", html) and "url(http" not in html and "@import" not in html


def test_a_crop_shows_every_panel_with_its_score(html):
    panels = re.findall(r'role="img" aria-label="([^"]+: crop of image_[^"]*)"', html)
    shown = [row for row in ROWS if "@" not in row]
    labels = [panel.split(":")[0] for panel in panels]
    assert labels[:4] == ["degraded input", "clean", "removal teacher", "scratch"] and {*labels[3:]} == {*shown}
    assert all(panel.endswith(" dB") for panel in panels[2:]) and html.count("data:image/webp;base64,") == 1
    assert " dB over <code>scratch</code>" in html


def test_bibtex_can_be_copied(html):
    assert "@inproceedings{" in html and html.count("data-copy") > 5


def test_networks_without_a_score_have_costs_on_the_page(small, tmp_path):
    path = small / "networks" / "nafnet_micro.json"
    write_record(path.with_name("drsformer_base.json"), read_network(path).model_copy(update={"network": "drsformer"}))
    assert "drsformer micro" in Reader(plain(tmp_path)).tables["costs-of-networks"]["measured"]


def test_the_page_is_a_function_of_its_inputs(small, tmp_path):
    first = plain(tmp_path)
    assert plain(tmp_path) == first
    assert f'<meta name="inputs" content="{inputs(small, tmp_path)}">' in first


@pytest.mark.parametrize(
    "name",
    [
        "grid/cells/deraining/nafnet/seed0/scratch/rain_light.json",
        "grid/cells/deraining/nafnet/seed0/scratch/rain_light.csv",
        "grid/networks/nafnet_micro.json",
        "methods/slkd.json",
        "published/rain.yaml",
        "data_sets/rain100l.json",
    ],
)
def test_the_digest_changes_with_every_file(small, tmp_path, name):
    before = inputs(small, tmp_path)
    path = small.parent / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert inputs(small, tmp_path) != before
    path.rename(path.with_name(f"other_{path.name}"))
    assert inputs(small, tmp_path) != before


def test_the_digest_knows_neither_where_the_folders_lie_nor_what_the_page_does_not_show(small, tmp_path):
    before = inputs(small, tmp_path)
    (small / "tables").mkdir()
    (small / "tables" / "nafnet.md").write_text("a table\n")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    small.parent.rename(moved / "results")
    assert inputs(moved / "results" / "grid", moved) == before


def test_students_that_cannot_be_compared_have_reasons_and_no_table(small, tmp_path):
    path = small / "cells/deraining/nafnet/seed0/output_kd/rain_light.json"
    write_record(path, read_cell(path).model_copy(update={"initial_sha256": "b" * 64}))
    path = small / "cells/deraining/nafnet/seed0/scratch/rain_light.json"
    write_record(path, read_cell(path).model_copy(update={"initial_sha256": "c" * 64}))
    html = plain(tmp_path)
    assert "No table" in html and "began with the weights bbbbbbbbbbbb" in html
    assert not any(name.startswith("nafnet") for name in Reader(html).tables)


def test_a_cell_that_is_not_supported_has_a_footnote_and_what_is_foreign_is_escaped(small, tmp_path):
    reason = "no such levels </script><script>alert(1)</script>"
    skipped = record("fitnet", status="skipped", reason=reason, metrics={}, input_metrics={})
    write_record(small / "cells/deraining/nafnet/seed0/fitnet/rain_light.json", skipped)
    html = plain(tmp_path)
    assert "</code>: no such levels &lt;/script&gt;" in html and "alert(1)</script>" not in html
    assert Reader(html).tables["nafnet-deraining"]["measured"]["fitnet"][1] == f"{ABSENT}1"


def test_one_seed_has_no_interval_and_that_is_said(tmp_path):
    make_results(tmp_path, ("scratch", "output_kd"), {"deraining": {"rain_light": 29.0}}, seeds=(0,))
    html = plain(tmp_path)
    assert "±" not in Reader(html).tables["nafnet-deraining"]["measured"]["scratch"][1]
    assert "One seed: nothing is ranked" in html and "One seed: the spread between seeds is unknown." in html


def test_a_grid_without_the_student_alone_has_no_gains(tmp_path):
    make_results(tmp_path, ("output_kd", "slkd", "slkd_kl"), {"deraining": {"rain_light": 29.0}}, seeds=(0, 1))
    tables = Reader(plain(tmp_path)).tables
    assert tables["nafnet-deraining"]["measured"]["slkd"][5:7] == [ABSENT, ABSENT]
    assert tables["nafnet-ablation-slkd"]["measured"].keys() == {"slkd", "slkd_kl"}


def test_a_folder_without_scores_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected records of trained networks with scores in cells/"):
        render(tmp_path / "results", tmp_path, [])


def test_rows_without_a_value_are_last():
    numbers = [Row(name, "method", (Number(value=value),)) for name, value in (("a", None), ("b", -1.0), ("c", 2.0))]
    assert [row.label for row in by_first_column(numbers, "higher")] == ["c", "b", "a"]
    assert [row.label for row in by_first_column(numbers, "lower")] == ["b", "c", "a"]


def test_kinds_of_rows():
    methods = {method.name: method for method in read_methods(REPOSITORY / "results")}
    labels = ("scratch", "scratch_long", "output_kd", "slkd", "slkd_kl", "slkd@oracle", "mine", "degraded input")
    kinds = {label: kind_of(label, labels, methods) for label in labels}
    assert kinds == {
        "scratch": "reference", "scratch_long": "reference", "degraded input": "reference", "output_kd": "method",
        "slkd": "method", "mine": "method", "slkd_kl": "ablation", "slkd@oracle": "control",
    }  # fmt: skip


def test_a_signature_of_another_package_is_shown_as_it_is():
    (line,) = explained("sharpness:rgb|radius:3|v1")
    assert line.startswith("Signature: sharpness:rgb|radius:3|v1;")


def test_prose_is_escaped_and_marked():
    assert prose("`a<b` is **2** <u>c</u> & <i>") == (
        "<code>a&lt;b</code> is <strong>2</strong> <u>c</u> &amp; &lt;i&gt;"
    )
