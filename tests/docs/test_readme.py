"""What README promises: its example method trains, its links lead somewhere, its blocks are up to date."""

import re
from pathlib import Path

import pytest
import torch

from bench import readme, run
from bench.cell import Filters
from bench.datasets.base import DATASETS
from bench.distiller import METHODS
from bench.metrics.protocol import PROTOCOLS
from bench.networks import build_network
from bench.networks.official import official_state
from bench.record import read_cells
from bench.tasks.base import TASKS

README = Path("README.md")
PAGES = [README, Path("CONTRIBUTING.md"), *sorted(Path("docs").glob("*.md"))]


def examples(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_example_method_runs_in_the_grid(make_params, workspace):
    (code,) = (example for example in examples(README) if "METHODS.register" in example)
    assert len(code.splitlines()) <= 20
    exec(code, {"__name__": "gradient_kd"})  # noqa: S102 - the README of this repository
    try:
        assert run.run_grid(make_params(methods=["gradient_kd"]), workspace, Filters()) == {}
        assert "gradient_kd" in {record.method for record in read_cells(workspace.results)}
    finally:
        del METHODS._entries["gradient_kd"]


def test_the_example_loop_of_slkd_trains():
    (code,) = (example for example in examples(README) if "from slkd import SLKD" in example)
    names = {}
    exec(code, names)  # noqa: S102 - the README of this repository
    loop = code[code.index("for step") :].splitlines()
    assert len(loop) <= 10, "the loop is shown to be short"
    assert list(names["terms"]) == ["restoration", "kl", "nc", "et"] and names["loss"].isfinite()


@pytest.mark.parametrize("page", [README, Path("docs/networks.md")], ids=str)
def test_the_examples_with_networks_run(page, tmp_path, monkeypatch):
    (code,) = (example for example in examples(page) if "load_official" in example)
    network = build_network("restormer", "micro")
    torch.save({"params": official_state(network)}, tmp_path / "deraining.pth")
    monkeypatch.chdir(tmp_path)
    names = {}
    code = code.replace("321, 481", "97, 113")  # as any size would do, and in a tenth of the time
    exec(code, names)  # noqa: S102 - the documentation of this repository
    assert type(names["teacher"]) is type(names["student"]) is type(network)
    assert names["restored"].shape == (1, 3, 97, 113)


def test_generated_blocks_are_up_to_date():
    stale = [str(path) for path, text in readme.render(Path()).items() if path.read_text() != text]
    assert not stale, "run `python -m bench report`"


def test_every_data_set_and_protocol_is_documented():
    data, metrics = Path("docs/data.md").read_text(), Path("docs/metrics.md").read_text()
    rows = [line for line in data.splitlines() if line.startswith("| `")]
    for name, dataset in DATASETS.items():
        if not dataset.is_embedded:
            (row,) = (row for row in rows if f"`{name}`" in row.split("|")[1])
            assert all(f"{split.num_items:,}" in row for split in dataset.splits.values()), name
            assert f"`{dataset.protocol}`" in row or dataset.protocol is None
    for name, task in TASKS.items():
        assert f"`{name}`" in data or task.train_set == "scenes"
    assert all(f"| `{name}` |" in metrics for name in PROTOCOLS)


def test_every_link_to_a_file_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
