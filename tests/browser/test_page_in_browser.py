"""The results page as its readers see it, in a real browser."""

import io
import os
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from bench.crop_record import error_maps, read_crops, read_panels
from bench.record import read_cell

pytestmark = pytest.mark.browser

TABLE = "#nafnet-deraining table"
WIDTHS = (360, 768, 1280)


def column(page, title, number=0):
    """The heading of a column of the table, of several the given one, and its place."""
    heading = page.locator(f"{TABLE} thead th[data-index]").filter(has_text=title).nth(number)
    return heading, int(heading.get_attribute("data-index"))


def values(page, place):
    """The values of a column of the table from top to bottom, None where there is none."""
    rows = page.locator(f"{TABLE} tbody.measured tr")
    return rows.evaluate_all("(rows, place) => rows.map((row) => row.cells[place].dataset.value ?? null)", place)


def numbers(found):
    return [float(value) for value in found if value is not None]


def labels(page, table=TABLE):
    rows = page.locator(f"{table} tr[data-label]:visible")
    return rows.evaluate_all("(rows) => rows.map((row) => row.dataset.label)")


def test_a_column_is_sorted_the_better_end_first_and_then_the_other(visit):
    page = visit()
    heading, place = column(page, "SSIM")
    pinned = labels(page)[:2]
    before = sorted(numbers(values(page, place)))
    heading.get_by_role("button").click()
    assert numbers(values(page, place)) == before[::-1] and heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    assert numbers(values(page, place)) == before and heading.get_attribute("aria-sort") == "ascending"
    assert labels(page)[:2] == pinned == ["degraded input", "removal teacher"]
    assert page.locator(f"{TABLE} [aria-sort=ascending], {TABLE} [aria-sort=descending]").count() == 1


def test_where_less_is_better_the_least_comes_first_and_the_keyboard_sorts_too(visit):
    page = visit()
    heading, place = column(page, "GMSD")
    heading.get_by_role("button").press("Enter")
    found = numbers(values(page, place))
    assert found == sorted(found) and heading.get_attribute("aria-sort") == "ascending"


def test_rows_without_a_value_are_last_in_both_orders(visit):
    page = visit()
    heading, place = column(page, "gap recovered")
    for _ in range(2):
        heading.get_by_role("button").click()
        found = values(page, place)
        assert found[-1] is None and None not in found[:-1]


def test_rows_are_sorted_by_name_and_those_of_others_stay_below(visit):
    page = visit()
    heading, _ = column(page, "method")
    heading.get_by_role("button").click()
    names = labels(page)[2:]
    assert names[-1] == "PReNet" and names[:-1] == sorted(names[:-1], key=lambda name: (name.replace("_", " "), name))


def test_words_find_rows_in_every_table(visit):
    page = visit()
    page.get_by_label("Find").fill("SLKD kl")
    for table in (TABLE, "#nafnet-overview table", "#nafnet-effects table"):
        assert set(labels(page, table)) - {"PReNet"} == {"slkd_kl", "slkd_no_kl"}
    assert page.get_by_role("status").text_content() == "2 of 38 rows shown"
    page.get_by_label("Find").fill("")
    assert len(labels(page)) == 39


def test_kinds_of_rows_are_hidden_and_shown(visit):
    page = visit()
    for kind in ("methods", "ablations", "controls"):
        page.get_by_label(kind, exact=True).uncheck()
    assert set(labels(page)) == {"degraded input", "removal teacher", "scratch", "scratch_long", "PReNet"}
    page.get_by_label("controls", exact=True).check()
    assert sum(label.endswith("@oracle") for label in labels(page)) == 11


def test_columns_are_hidden_with_the_titles_above_them(visit):
    page = visit()
    for kind in ("SSIM", "params (M)", "MACs (G)"):
        page.get_by_role("checkbox", name=kind, exact=True).uncheck()
    assert page.locator(f"{TABLE} th:visible", has_text=re.compile("SSIM|params")).count() == 0
    groups = page.locator(f"{TABLE} thead .group:visible")
    assert groups.all_text_contents() == ["rain_light", "rain_heavy"]
    spans = [int(group.get_attribute("colspan")) for group in groups.all()]
    row = page.locator(f"{TABLE} tbody.measured tr").first
    assert sum(spans) == row.locator("td:visible").count() == 10


def test_a_number_opens_what_its_records_say_and_gives_the_focus_back(visit, site):
    page = visit()
    number = page.locator(f'{TABLE} tr[data-label="slkd"] button').first
    number.click()
    drawer = page.get_by_role("dialog")
    assert drawer.get_by_role("heading", level=2).text_content() == "slkd, nafnet, deraining: rain_light"
    assert drawer.locator("#drawer-value").text_content() == f"{number.text_content()} dB"
    assert "Peak signal-to-noise ratio in dB" in drawer.text_content()
    paths = [f"cells/deraining/nafnet/seed{seed}/slkd/rain_light.json" for seed in range(3)]
    shown = [float(text) for text in drawer.locator("table td").all_text_contents()]
    assert shown == [pytest.approx(read_cell(site.results / path).metrics["psnr_db"], abs=1e-4) for path in paths]
    assert drawer.locator("summary").all_text_contents() == [f"results/grid/{path}" for path in paths]
    drawer.locator("summary").first.click()
    commands = drawer.locator("details").first.locator("code").all_text_contents()
    assert commands[0].endswith("--method slkd --seed 0") and commands[1].endswith(paths[0])
    page.keyboard.press("Escape")
    assert not drawer.is_visible() and number.evaluate("(element) => element === document.activeElement")


def test_the_keyboard_moves_between_numbers_and_opens_them(visit):
    page = visit()
    stops = page.locator(f'{TABLE} button[data-entry][tabindex="0"]')
    assert stops.count() == 1
    stops.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    focused = page.evaluate(
        "[document.activeElement.closest('tr').rowIndex, document.activeElement.closest('td').cellIndex]"
    )
    start = page.evaluate(f"document.querySelector('{TABLE} button[data-entry]').closest('tr').rowIndex")
    assert focused[0] == start + 1 and stops.count() == 1
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.get_by_role("button", name="Close").click()
    assert not page.get_by_role("dialog").is_visible()


def test_commands_and_references_are_copied(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.locator(f'{TABLE} tr[data-label="slkd"] button').last.click()
    details = page.get_by_role("dialog").locator("details").first
    assert details.get_attribute("open") is not None  # of one file alone, nothing is folded
    page.keyboard.press("Escape")
    page.locator("#method-slkd summary").click()
    page.get_by_role("button", name="copy BibTeX of slkd", exact=True).click()
    page.wait_for_function("document.querySelector('#method-slkd [data-copy]').textContent === 'copied'")
    assert page.evaluate("navigator.clipboard.readText()").startswith("@inproceedings{")


def test_what_cannot_be_copied_is_selected(visit):
    page = visit(before="navigator.clipboard.writeText = () => Promise.reject(new Error('refused'));")
    page.locator("#method-slkd summary").click()
    page.locator("#method-slkd [data-copy]").click()
    page.wait_for_function("String(getSelection()).startsWith('@inproceedings{')")


def test_the_theme_is_chosen_and_lasts(visit):
    page = visit(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark and page.get_by_label("Theme").input_value() == "dark"
    assert visit(color_scheme="dark").evaluate(ground) == dark


def test_a_browser_without_storage_shows_the_page_all_the_same(visit):
    refuse = "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('refused'); } });"
    page = visit(before=refuse)
    page.get_by_label("Theme").select_option("dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.get_by_role("status").text_content() == "38 of 38 rows shown"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_no_violation(visit, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(width, color_scheme=theme)
    assert axe.run(page).generate_snapshot() == ""
    page.locator(f'{TABLE} tr[data-label="slkd"] button').first.click()
    assert axe.run(page).generate_snapshot() == ""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page(visit, width):
    page = visit(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(f'{TABLE} tr[data-label="slkd"] button').first.click()
    drawer = page.get_by_role("dialog")
    drawer.locator("summary").first.click()
    assert drawer.evaluate("(element) => element.scrollWidth <= element.clientWidth")


def test_the_first_column_stays_in_sight(visit):
    page = visit(360)
    scroll = page.locator("#nafnet-deraining .scroll")
    name = page.locator(f'{TABLE} tr[data-label="slkd"] th')
    before = name.bounding_box()
    scroll.evaluate("(element) => { element.scrollLeft = 400; }")
    assert scroll.evaluate("(element) => element.scrollLeft") == 400 and name.bounding_box() == before


def test_print_has_the_tables_and_not_the_controls(visit):
    page = visit(1047)  # what is left of A4's long side between the margins
    page.emulate_media(media="print")
    for control in ("#filters", "nav", ".view"):
        assert not page.locator(control).is_visible()
    tables = page.locator("section.sheet table")
    sizes = tables.evaluate_all("(all) => all.map((table) => table.getBoundingClientRect().right)")
    assert len(sizes) > 6 and max(sizes) <= 1047
    assert page.locator(f'{TABLE} tr[data-label="slkd"]').is_visible()
    assert len(page.pdf(prefer_css_page_size=True)) > 100_000


def test_without_a_script_every_number_is_there(visit):
    page = visit(java_script_enabled=False)
    assert not page.locator("#filters").is_visible() and not page.get_by_label("Theme").is_visible()
    rows = page.locator(f"{TABLE} tbody tr:visible")
    assert rows.count() == 40 and page.locator(f"{TABLE} tbody.measured td:visible").count() == 36 * 14


def test_errors_take_the_place_of_images_on_the_scale_of_their_crop(visit, site):
    page = visit()
    (crop,) = read_crops(site.results)
    maps = error_maps(read_panels(site.results, crop)).maps
    page.get_by_label("errors", exact=True).check()
    for place, label in enumerate(row.label for row in crop.rows):
        panel = page.locator("#crops .panel").nth(place)
        with Image.open(io.BytesIO(panel.screenshot())) as image:
            shown = np.asarray(image.convert("RGB")).astype(float)
        middles = ((np.arange(crop.side) + 0.5) * len(shown) / crop.side).astype(int)
        expected = matplotlib.colormaps["viridis"](maps.get(label, np.zeros((crop.side, crop.side), np.uint8)))
        assert abs(shown[np.ix_(middles, middles)] - 255 * expected[..., :3]).mean() < 3, label
    assert page.locator(".errors-only").first.is_visible()


def test_the_page_is_small(site):
    assert site.path.stat().st_size <= 1.5e6, "without crops of a real size"


@pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="set SCREENSHOTS to a folder to have them written there")
def test_screenshots_for_eyes(visit):
    folder = os.environ["SCREENSHOTS"]
    for theme in ("light", "dark"):
        for width in WIDTHS:
            page = visit(width, color_scheme=theme)
            page.screenshot(path=Path(folder) / f"top_{width}_{theme}.png")
            for place in ("nafnet-deraining", "effects", "costs", "crops", "methods"):
                page.evaluate(f"document.getElementById('{place}').scrollIntoView()")
                page.screenshot(path=Path(folder) / f"{place}_{width}_{theme}.png")
