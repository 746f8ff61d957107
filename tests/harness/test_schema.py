"""The schemas of records say what the models say; records of earlier states are read as they were."""

import json
import shutil
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from bench import schema, tables
from bench.method_record import methods_page, read_method
from bench.record import read_cell, read_network, read_record

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "records"
PLACES = {
    "cell": "**/cells/**/*.json", "network": "**/networks/*.json", "method": "**/methods/*.json",
    "data_set": "**/data_sets/*.json",
}  # fmt: skip
SCORES = {
    "kind": "scores", "version": 1, "protocol": "derain_y", "signatures": {"psnr_db": "psnr:y|v1"}, "num_images": 2,
    "metrics": {"psnr_db": None}, "unavailable": {"niqe": "no weights"}, "restored": "mine", "clean": "originals",
}  # fmt: skip


@cache
def validator(kind):
    path = ROOT / "results" / "schema" / f"{kind}.schema.json"
    return Draft202012Validator(json.loads(path.read_text()))


@cache
def records(kind):
    """The committed records of a kind, by path."""
    return {path: json.loads(path.read_bytes()) for path in sorted((ROOT / "results").glob(PLACES[kind]))}


@cache
def golden(kind):
    found = [json.loads(path.read_bytes()) for path in sorted(GOLDEN.glob(f"{kind}_*.json"))]
    return found or [SCORES]


def test_the_schemas_are_those_of_the_models():
    rendered = schema.render(ROOT)
    assert rendered == {path: path.read_text(encoding="utf-8") for path in rendered}, "run `python -m bench report`"
    assert set((ROOT / "results" / "schema").iterdir()) == set(rendered)


@pytest.mark.parametrize("kind", schema.RECORDS)
def test_a_schema_tells_what_it_is_of_and_refuses_what_it_does_not_know(kind):
    found = validator(kind).schema
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == schema.DIALECT and found["title"] == schema.RECORDS[kind].__name__ and "$id" not in found
    assert found["description"] == schema.RECORDS[kind].__doc__.splitlines()[0]
    for model in (found, *found.get("$defs", {}).values()):
        assert model["additionalProperties"] is False


@pytest.mark.parametrize("kind", PLACES)
def test_committed_records_fit_their_schema_and_model(kind):
    assert records(kind)
    for path, record in records(kind).items():
        error = next(validator(kind).iter_errors(record), None)
        assert error is None, f"{path}: {error.message}"
        read_record(path, schema.RECORDS[kind])


VALUES = st.recursive(
    # A schema takes 3.0 for an integer, a model does not: no fraction is zero here.
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, -2.25]) | st.text("aé_ 1", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)


def places(value, path=()):
    """The key paths of everything inside a JSON value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield *path, key
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


def damaged(record, place, how, value):
    """A copy of a record in which one place is dropped, is another value, or has a new neighbour."""
    copied = json.loads(json.dumps(record))
    *parents, last = place
    inside = copied
    for key in parents:
        inside = inside[key]
    if how == "replace":
        inside[last] = value
    elif how == "drop":
        del inside[last]
    else:
        inside.update(unknown=value) if isinstance(inside, dict) else inside.append(value)
    return copied


def is_taken(kind, record):
    try:
        schema.RECORDS[kind].model_validate_json(json.dumps(record), strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("kind", schema.RECORDS)
@given(data=st.data(), how=st.sampled_from(["replace", "drop", "add"]), value=VALUES)
def test_schema_and_model_refuse_the_same_damaged_records(kind, data, how, value):
    record = data.draw(st.sampled_from(golden(kind)))
    place = data.draw(st.sampled_from(list(places(record))))
    changed = damaged(record, place, how, value)
    assert validator(kind).is_valid(changed) == is_taken(kind, changed)


@pytest.mark.parametrize("kind", schema.RECORDS)
def test_a_record_without_a_field_or_with_a_wrong_one_is_refused_by_both(kind):
    record = golden(kind)[0]
    for name in validator(kind).schema["required"]:
        for changed in (damaged(record, (name,), "drop", None), damaged(record, (name,), "replace", [None])):
            assert not is_taken(kind, changed) and not validator(kind).is_valid(changed), name


def test_a_network_whose_tables_would_lie_elsewhere_is_refused_by_both():
    changed = damaged(golden("cell")[0], ("network",), "replace", "../../README")
    assert not is_taken("cell", changed) and not validator("cell").is_valid(changed)


def numbers(value):
    return {place: v for place in places(value) if isinstance(v := inside(value, place), int | float)}


def inside(value, place):
    for key in place:
        value = value[key]
    return value


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_records_of_earlier_states_keep_their_numbers(path):
    old = json.loads(path.read_bytes())
    kind = old["kind"]
    read = json.loads(read_record(path, schema.RECORDS[kind]).model_dump_json())
    assert numbers(old).items() <= numbers(read).items()
    assert validator(kind).is_valid(old)


def test_the_records_of_earlier_states_have_different_fields():
    for kind in PLACES:
        shapes = [(frozenset(record), record.get("measured") is None) for record in golden(kind)]
        assert kind == "cell" or len(set(shapes)) == len(shapes)
    assert len({frozenset(record) for record in golden("cell")}) == 4


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("cell_*.json")), ids=lambda path: path.stem)
def test_cells_of_earlier_states_are_rendered_as_tables(path, tmp_path):
    for folder, kind in (("cells", path.stem), ("networks", "network_2")):
        (tmp_path / folder).mkdir()
        shutil.copy(GOLDEN / f"{kind}.json", tmp_path / folder)
    text, cell = tables.render(tmp_path)[tmp_path / "tables" / "nafnet.md"], read_cell(path)
    assert f"{cell.metrics['psnr_db']:.2f} / " in text.replace("*", "") and f"{cell.task}: {cell.test_set}" in text
    cost = read_network(tmp_path / "networks" / "network_2.json")
    assert cell.size != cost.size or f"| {cost.params_m:.3f} | {cost.macs_g:.3f} |" in text


def test_methods_of_earlier_states_are_rendered_as_a_page():
    assert "### at" in methods_page([read_method(path) for path in GOLDEN.glob("method_*.json")])
