"""A results page of the default grid's size, and Debian's chromium to look at it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.family import read_families
from bench.figures import draw
from bench.method_record import read_methods
from bench.page import render
from tests.browser.results import make_results, write_crops

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip


class Site(NamedTuple):
    """The page's file, and the results that it was made from."""

    path: Path
    results: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("site")
    results = make_results(root)
    write_crops(results)
    path = root / "report.html"
    drawings = draw(read_families(results), read_methods(root / "results"))
    path.write_text(render(results, root, drawings), encoding="utf-8")
    return Site(path, results)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: tox run -e browser brings it")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """Opens the page; whatever a test does there, nothing may be complained of, and no request may leave the page."""
    contexts, said, asked = [], [], []

    def open_page(width: int = 1280, before: str = "", **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.add_init_script(before)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site.path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not said
    assert {url for url in asked if not url.startswith("data:")} == {site.path.as_uri()}
