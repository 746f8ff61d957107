"""What README promises: its example method trains, its commands and options exist, its blocks are up to date."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import readme, run
from bench.__main__ import app
from bench.cell import Filters
from bench.distiller import METHODS
from bench.record import read_cells

README = Path("README.md").read_text()
PAGES = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").glob("*.md"))]


def test_the_example_method_runs_in_the_grid(make_params, workspace):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    assert len(code.splitlines()) <= 20
    exec(code, {"__name__": "gradient_kd"})  # noqa: S102 - the README of this repository
    try:
        assert run.run_grid(make_params(methods=["gradient_kd"]), workspace, Filters()) == {}
        assert "gradient_kd" in {record.method for record in read_cells(workspace.results)}
    finally:
        del METHODS._entries["gradient_kd"]


def commands():
    for page in PAGES:
        for line in re.findall(r"python -m bench[^`|#\n]*", page.read_text()):
            yield pytest.param(line.strip(), id=f"{page.name}: {line.strip()}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_and_option_exists(line):
    words = shlex.split(line)[2:]
    verbs = ["run"] if words[0] == "bench.run" else [w for w in words[1:3] if not w.startswith("-") and w.islower()]
    verbs = [v for v in verbs if v.isalpha() and v not in ("deraining", "x")]
    result = CliRunner().invoke(app, [*verbs, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for word in words[1:]:
        if word.startswith("--"):
            assert word in result.output


def test_generated_blocks_are_up_to_date():
    stale = [str(path) for path, text in readme.render(Path()).items() if path.read_text() != text]
    assert not stale, "run `python -m bench report`"


def test_every_link_to_a_file_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
