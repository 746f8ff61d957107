"""The methods page: records say what classes say and what was measured, and the page is rendered from them."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from bench import step_cost
from bench.__main__ import app
from bench.distiller import METHODS, Distiller, Reference
from bench.method_record import method_table, methods_page, read_method, read_methods, record_path
from bench.step_cost import Setting, describe, interleaved, measure, published_methods

RESULTS = Path("results")
TINY = Setting("nafnet", "micro", "micro", batch=3, crop_size=16)


@pytest.fixture(scope="module")
def costs():
    torch.set_num_threads(1)
    return measure(["scratch", "fitnet", "dckd"], TINY, rounds=2)


def test_a_cost_is_relative_to_scratch_and_counts_what_is_beside_the_student(costs):
    assert costs["scratch"].ratio == 1
    assert costs["fitnet"].ratio > 1
    levels = (8, 16, 32, 64, 8, 16, 32)
    assert costs["fitnet"].adapter_params == sum(n * n + n for n in levels)
    assert costs["scratch"].adapter_params == costs["scratch"].state_elements == costs["fitnet"].state_elements == 0
    student = sum(p.numel() for p in METHODS["scratch"](*_scratch()).parameters())
    assert costs["dckd"].adapter_params == 0 and costs["dckd"].state_elements > student


def _scratch():
    from bench.networks.base import build_network

    return build_network("nafnet", "micro"), {}, METHODS["scratch"].Config()


def test_methods_take_turns():
    calls = []
    times = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=2, warmups=1)
    assert calls == list("ababab")
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 2, "b": 2}


def test_variants_of_a_method_are_no_methods_of_their_own():
    names = published_methods()
    assert "slkd" in names and "fitnet" in names and "slkd_kl" not in names


def test_the_committed_records_say_what_the_classes_say():
    for name in published_methods():
        record = read_method(record_path(RESULTS, name))
        assert record == describe(name, record.costs), f"{name}: run `python -m bench methods`"
        assert record.costs, f"{name}: run `python -m bench methods --measure`"
    assert {record.name for record in read_methods(RESULTS)} == set(published_methods())


def test_the_page_has_every_term_and_deviation(costs):
    fitnet = describe("fitnet", [costs["fitnet"]])
    assert [term.split("`")[1] for term in fitnet.terms] == ["restoration", "hint"]
    page = methods_page([describe("scratch"), fitnet])
    for text in (
        fitnet.idea,
        *fitnet.terms,
        fitnet.deviations,
        "`hint_weight` 1",
        "[FitNets: Hints for Thin Deep Nets]",
    ):
        assert text in page
    assert "### scratch\n\nNo distillation: the student alone." in page


def test_the_table_has_a_column_for_each_pair_of_networks(costs):
    other = costs["fitnet"].model_copy(update={"crop_size": 128, "ratio": 1.5})
    table = method_table([describe("scratch", [costs["scratch"]]), describe("fitnet", [costs["fitnet"], other])])
    assert table.header[4:] == ("step [1]", "extra params [1]", "step [2]", "extra params [2]")
    assert table.rows[0][4:] == ("1.00", "0", "-", "-")
    assert table.rows[1][6:] == ("1.50", "7.0 k")
    assert any(
        "[2] nafnet: teachers micro, student micro; batches of 3 crops of 128x128" in note for note in table.notes
    )


def test_controls_are_named():
    rows = {row[0]: row for row in method_table([describe(n) for n in ("scratch", "fitnet", "output_kd")]).rows}
    assert [rows[f"[`{n}`](#{n})"][3] for n in ("scratch", "fitnet", "output_kd")] == [
        "-", "`scratch`", "`output_kd@oracle`"
    ]  # fmt: skip


def test_a_method_without_described_terms_is_refused(monkeypatch):
    class Silent(Distiller):
        """Says nothing."""

        reference = Reference("Silent", "", "", 2026, "")

    METHODS._loaded()
    monkeypatch.setitem(METHODS._entries, "silent", Silent)
    with pytest.raises(ValueError, match="no section `Terms:`"):
        describe("silent")


def test_the_command_keeps_what_was_measured_in_other_settings(tmp_path):
    size = ["--teacher", "micro", "--batch", "2", "--rounds", "1", "--threads", "1"]
    command = ["methods", "--method", "scratch", "--results", str(tmp_path), *size]
    for side in ("16", "32", "32"):
        done = CliRunner().invoke(app, [*command, "--measure", "--crop-size", side])
        assert done.exit_code == 0, done.output
    CliRunner().invoke(app, command)
    costs = read_method(record_path(tmp_path, "scratch")).costs
    assert [cost.crop_size for cost in costs] == [16, 32]
    assert step_cost.is_of(costs[0], Setting("nafnet", "micro", "micro", 2, 16))
