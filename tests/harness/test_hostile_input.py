"""Files that are damaged or made to harm: each is read as it is meant, or refused by name, and is left as it was."""

import json
import logging
import pickle
import re
import signal
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import run
from bench.checkpoint import read_checkpoint, write_checkpoint
from bench.config import Params, Recipe, load_params
from bench.imported import ImportedTeacher
from bench.networks.official import Architecture, read_weights
from bench.record import read_record, write_record
from bench.registry import Registry, UnknownNameError
from bench.schema import RECORDS
from bench.values import read_history, read_per_image, write_history, write_per_image

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "records"
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())

hostile = settings(
    deadline=timedelta(seconds=3), max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def outcome(read, path, content):
    """What is read from a file, or the message by which it is refused; the file must be as it was."""
    path.write_bytes(content)
    try:
        return read(path), ""
    except (ValueError, FileNotFoundError, UnknownNameError) as error:
        assert type(error) in (ValueError, FileNotFoundError, UnknownNameError), repr(error)  # none of a library
        assert str(path) in str(error) and len(str(error)) < 10_000
        return None, str(error)
    finally:
        assert path.read_bytes() == content


def edited(content, edits):
    """Bytes in which pieces are written over others, each at a share of the length."""
    changed = bytearray(content)
    for share, piece in edits:
        place = int(share * len(changed))
        changed[place : place + len(piece)] = piece
    return bytes(changed)


EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=3)), min_size=1, max_size=4
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=20)
    | st.binary(max_size=5) | st.dates() | st.sampled_from(["1e-3", "", "a.b", "nafnet", "\ud800", "\0", "../.."])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LEAVES, inner, max_size=3), max_leaves=6
)
KEYS = st.lists(
    st.sampled_from([*Params.model_fields, *Recipe.model_fields, "removal", "tile"]), min_size=1, max_size=3
)


def holding(value, keys, base):
    """Nested mappings with a value at a key path."""
    key, *inner = keys
    below = base.get(key) if isinstance(base.get(key), dict) else {}
    return base | {key: holding(value, inner, below) if inner else value}


def inside(values, keys):
    for key in keys:
        values = values[key]
    return values


def is_meant(read, said):
    """Whether a parameter is what a file says: it may write paths and numbers otherwise, and leave defaults out."""
    if isinstance(read, dict):
        return all(is_meant(read[key], value) for key, value in said.items())
    if isinstance(read, Path):
        return read == Path(said)
    if isinstance(read, tuple):
        return list(read) == said
    return repr(read) == repr(said) or (isinstance(read, float) and read == float(said))


@hostile
@given(keys=KEYS, value=VALUES)
def test_a_parameter_is_what_the_file_says_or_is_refused_by_its_key_path(keys, value, tmp_path):
    content = yaml.safe_dump(holding(value, keys, PARAMS), allow_unicode=True).encode(errors="replace")
    params, message = outcome(load_params, tmp_path / "mine.yaml", content)
    if params is None:
        assert ": not YAML: " in message or keys[0] in message
        return
    said, read = inside(yaml.safe_load(content), keys), inside(params.model_dump(), keys)
    assert is_meant(read, said), (read, said)
    try:
        complete = Recipe(steps=1, batch_size=1, crop_size=16, learning_rate=1, final_learning_rate=0)
        params.train.over(complete.model_copy(update={"restoration_loss": "l1"})).training(lambda: 10**7)
    except ValueError as error:
        assert "steps" in str(error)  # more than anyone trains


@hostile
@given(content=st.binary(max_size=200) | EDITS.map(lambda edits: edited((ROOT / "params.yaml").read_bytes(), edits)))
def test_bytes_are_no_params_or_plain_ones(content, tmp_path):
    params, _ = outcome(load_params, tmp_path / "mine.yaml", content)
    assert params is None or Params.model_validate(params.model_dump()) == params


def laughs(first, again):
    lines = [f"a0: &a0 {first}", *(f"a{n}: &a{n} {again.replace('*', f'*a{n - 1}')}" for n in range(1, 30))]
    return "\n".join(lines)


CODE = "!!python/object/apply:os.system ['touch {}']"
BAD_PARAMS = {
    "code": (f"tasks: {CODE}", "line 1"),
    "code as a new object": ("tasks: !!python/object/new:pathlib.Path ['{}']", "tags"),
    "a module": ("tasks: !!python/module:os", "tags"),
    "code as a key": (f"? {CODE}\n: 1", "tags"),
    "a set, whose order is chance": ("tasks: !!set {{deraining, denoising}}", "tags"),
    "laughs": (laughs("[lol, lol]", "[*, *, *, *, *, *]"), "anchors"),
    "laughs by merged mappings": (laughs("{k: 1}", "{<<: [*, *, *, *, *, *]}"), "anchors"),
    "a value that holds itself": ("tasks: &a [*a]", "anchors"),
    "a key twice": ("tasks: [deraining]\ntasks: [denoising]", "the key 'tasks' is there twice"),
    "an inner key twice": ("train:\n  steps: 1\n  steps: 2", "the key 'steps' is there twice"),
    "ten thousand unknown keys": ("\n".join(f"k{n}: 1" for n in range(10_000)), "more"),
    "a key that is a list": ("[1, 2]: 3", "line 1"),
    "a merge of nothing": ("<<: 3", "line 1"),
    "lists nested deeply": ("tasks: " + "[" * 10_000 + "]" * 10_000, "nested too deeply"),
    "mappings nested deeply": ("{{a: " * 5_000, "nested too deeply"),
    "a month that is not": ("train: {{steps: 2026-13-45}}", "month"),
    "digits without end": ("train: {{steps: " + "9" * 5_000 + "}}", "digits"),
    "nothing": ("", "expected a mapping"),
    "a list": ("- a", "expected a mapping"),
    "a null byte": ("tasks: [a\0b]", "not YAML"),
    "two documents": ("tasks: [a]\n---\ntasks: [b]", "not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PARAMS)
def test_params_that_are_made_to_harm_are_refused(case, tmp_path):
    text, message = BAD_PARAMS[case]
    victim = tmp_path / "victim"
    content = (text if case.startswith("laughs") else text.replace("{{", "{").replace("}}", "}")).replace(
        "{}", str(victim)
    )
    assert message in outcome(load_params, tmp_path / "mine.yaml", content.encode())[1]
    assert not victim.exists()


BAD_VALUES = {
    "train.steps": [True, "3", 3.5, 0, -1, 10**30, ".nan", None, [1]],
    "train.epochs": [".inf", "-.inf", ".nan", 1e300, True],
    "train.learning_rate": [True, ".nan", "fast", 2],
    "train.crop_size": [17, 8, 10**12, "64"],
    "threads": [0, 10**6, True, 1.5],
    "seeds.0": [-1, 2**63, True, 0.5, "0"],
    "memory_gb": [".inf", -1, ".nan", False],
    "checkpoint_seconds": [".inf", 0, True],
    "tiling.tile": [0, "a"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD_VALUES.items() for value in values])
def test_a_wrong_value_is_refused_by_its_key_path(key, value, tmp_path):
    first, *rest = key.split(".")
    shown = str(value) if isinstance(value, str) and value.lstrip("-")[0] == "." else json.dumps(value)
    shown = {"0": f"[{shown}]", "": shown}.get("".join(rest), f"{{{''.join(rest)}: {shown}}}")
    content = yaml.safe_dump({k: v for k, v in PARAMS.items() if k != first}) + f"{first}: {shown}\n"
    params, message = outcome(load_params, tmp_path / "mine.yaml", content.encode())
    if value is None:  # what is left out, the task decides
        assert params.train.steps is None
    else:
        assert f"mine.yaml: {key}: " in message


def test_an_unknown_setting_of_a_group_that_may_be_left_out_is_suggested(tmp_path):
    content = yaml.safe_dump(PARAMS | {"tiling": {"tiel": 64, "tile": 64}}).encode()
    assert "did you mean 'tiling.tile'" in outcome(load_params, tmp_path / "mine.yaml", content)[1]


def test_the_encoding_of_params_is_utf_8_with_or_without_a_mark(tmp_path):
    text = (ROOT / "params.yaml").read_text() + "# ü\n"
    path = tmp_path / "mine.yaml"
    expected = load_params(ROOT / "params.yaml")
    assert outcome(load_params, path, text.encode("utf-8-sig")) == (expected, "")
    assert "codec can't decode byte 0xfc" in outcome(load_params, path, text.encode("latin-1"))[1]
    assert "mine.yaml: not YAML" in outcome(load_params, path, text.encode("utf-16"))[1]


@pytest.mark.parametrize("case", ["code", "a key twice", "lists nested deeply", "nothing", "two documents"])
def test_a_bad_params_file_ends_a_command_with_2_and_an_error(case, tmp_path, monkeypatch, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(BAD_PARAMS[case][0])
    monkeypatch.setattr(sys, "argv", ["bench.run", "--all", "--dry-run", "--params", str(path)])
    monkeypatch.setattr(logging, "basicConfig", lambda **settings: None)
    monkeypatch.setattr(signal, "signal", lambda *arguments: None)
    with pytest.raises(SystemExit) as caught:
        run.main()
    assert caught.value.code == run.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"error: {path}: ") and not any("Traceback" in line for line in lines)
    assert sum(line.startswith("error:") for line in lines) == 1


@pytest.mark.parametrize("module", [".", "..", "a.", ".a", "a..b", "a b.c", "os/path.x", "a.\0", "1.2"])
def test_what_is_no_dotted_path_is_no_module(module):
    with pytest.raises(ValueError, match="expected the dotted path of a module"):
        Registry("toy", "slkd_bench.no_such_group").resolve([module])


@cache
def record_files():
    """Records by their model: the bytes of files of each kind."""
    scores = {"protocol": "derain_y", "signatures": {}, "metrics": {"psnr_db": 30.5}, "num_images": 2}
    contents = [path.read_bytes() for path in sorted(GOLDEN.glob("*.json"))]
    files = [(RECORDS[json.loads(content)["kind"]], content) for content in contents]
    return [*files, (RECORDS["scores"], json.dumps(scores).encode())]


def read_back(path, model, content):
    """Reads a record; what is taken must be what the JSON says, and what is written again."""
    record, message = outcome(lambda path: read_record(path, model), path, content)
    if record is None:
        assert "delete the file to have it made again" in message
        return
    written = path.with_name("written.json")
    write_record(written, record)
    assert read_record(written, model) == record
    said, kept = json.loads(content), json.loads(written.read_bytes())
    assert said == {key: kept[key] for key in said}


FRAGMENTS = [
    "NaN", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5_000, f"{2**63}", "true", "null", '"\\ud800"', '"\\u0000"',
    "[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '{"a": 1, "a": 2}', '"' + "x" * 10**6 + '"',
    "3.0", '"3"', "[]", "{}", "-1", "1e5",
]  # fmt: skip


@hostile
@given(data=st.data(), fragment=st.sampled_from(FRAGMENTS))
def test_a_record_with_any_value_in_any_place_is_refused_or_read_as_it_is(data, fragment, tmp_path):
    model, content = data.draw(st.sampled_from(record_files()))
    start = data.draw(st.sampled_from([match.end() for match in re.finditer(b'": ', content)]))
    _, length = json.JSONDecoder().raw_decode(content[start:].decode())
    read_back(tmp_path / "record.json", model, content[:start] + fragment.encode() + content[start + length :])


@hostile
@given(data=st.data(), edits=EDITS, share=st.floats(0, 1))
def test_a_damaged_record_is_refused_or_read_as_it_is(data, edits, share, tmp_path):
    model, content = data.draw(st.sampled_from(record_files()))
    read_back(tmp_path / "record.json", model, edited(content, edits))
    read_back(tmp_path / "record.json", model, content[: int(share * len(content))])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@hostile
@given(model=st.sampled_from(list(RECORDS.values())), value=JSON, content=st.binary(max_size=50))
def test_any_json_and_any_bytes_are_refused_as_records(model, value, content, tmp_path):
    for hostile_content in (json.dumps(value).encode(), content):
        record, _ = outcome(lambda path: read_record(path, model), tmp_path / "record.json", hostile_content)
        assert record is None


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ('"seed": 0, "seed": 0', "the key 'seed' is there twice"),
        (f'"seed": {2**63}', "has no place in 64 bits"),
        ('"config": {"a": {"b": 1, "b": 2}}', "the key 'b' is there twice"),
        ('"config": {"a": NaN}', "NaN is not finite"),
        ('"config": {"a": [-1e999]}', "-1e999 is not finite"),
    ],
)
def test_ambiguous_json_is_refused_wherever_it_stands(fragment, message, tmp_path):
    record = json.loads((GOLDEN / "cell_4_control.json").read_bytes())
    del record[fragment.split('"')[1]]
    content = json.dumps(record).replace("{", f"{{{fragment}, ", 1).encode()
    assert message in outcome(lambda path: read_record(path, RECORDS["cell"]), tmp_path / "a.json", content)[1]


PER_IMAGE = b'# psnr_db: psnr:y|v1\n# ssim: ssim:y|v1\nimage,psnr_db,ssim\na,30.25,0.5\n"b,c",inf,0.25\n'
HISTORY = b"step,restoration,kl\n4,0.12346,1e-09\n8,0.1,2\n"
ROWS = [
    b"step\n1,2\n",
    b"step,kl,kl\n1,2,3\n",
    b"kl\n1\n",
    b"step\nmany\n",
    b"step\n1\n\n\0\n",
    b"step\n" + b"9" * 10**6,
]


@hostile
@given(edits=EDITS, share=st.floats(0, 1), content=st.binary(max_size=60))
def test_damaged_tables_of_numbers_are_refused_or_hold_numbers_alone(edits, share, content, tmp_path):
    for read, whole in ((read_per_image, PER_IMAGE), (read_history, HISTORY)):
        for changed in (edited(whole, edits), whole[: int(share * len(whole))], content):
            found, _ = outcome(read, tmp_path / "table.csv", changed)
            rows = [] if found is None else found.values() if isinstance(found, dict) else found
            assert all(isinstance(number, float) for row in rows for number in row.values())


def test_whole_tables_are_read_as_they_were_written(tmp_path):
    metrics = {"psnr_db": {"a": 30.25, "b,c": float("inf")}, "ssim": {"a": 0.5, "b,c": 0.25}}
    write_per_image(
        tmp_path / "a.csv", ["a", "b,c"], {m: [*v.values()] for m, v in metrics.items()},
        {"psnr_db": "psnr:y|v1", "ssim": "ssim:y|v1"},
    )  # fmt: skip
    assert (tmp_path / "a.csv").read_bytes() == PER_IMAGE and read_per_image(tmp_path / "a.csv") == metrics
    history = [{"step": 4, "restoration": 0.12346, "kl": 1e-9}, {"step": 8, "restoration": 0.1, "kl": 2.0}]
    write_history(tmp_path / "terms.csv", history)
    assert (tmp_path / "terms.csv").read_bytes() == HISTORY and read_history(tmp_path / "terms.csv") == history


@pytest.mark.parametrize("content", ROWS, ids=range(len(ROWS)))
def test_a_table_that_is_no_history_is_refused(content, tmp_path):
    assert "expected a table of numbers" in outcome(read_history, tmp_path / "terms.csv", content)[1]


@pytest.mark.parametrize("content", [b"", b"image\n", b"image,a,a\nx,1,2\n", b"image,a\nx,1\nx,2\n", b"image,a\nx\n"])
def test_a_table_that_has_no_value_for_every_image_is_refused(content, tmp_path):
    assert "expected a table of values per image" in outcome(read_per_image, tmp_path / "a.csv", content)[1]


STATE = {"weight": torch.arange(64, dtype=torch.float32), "bias": torch.ones(3)}


def write_teacher(path):
    ImportedTeacher("official", Architecture("nafnet", "micro", {}), "0" * 64, "weights.pth", "", STATE).write(path)


def is_same(state):
    return state.keys() == STATE.keys() and all(torch.equal(STATE[name], value) for name, value in state.items())


FILES = {
    "imported teacher": (write_teacher, lambda path: ImportedTeacher.read(path).state),
    "weights": (lambda path: torch.save(STATE, path), read_weights),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_byte_of_weights_never_gives_other_weights(kind, tmp_path):
    write, read = FILES[kind]
    write(tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    assert is_same(outcome(read, tmp_path / "a.pt", whole)[0])

    @hostile
    @given(place=st.integers(0, len(whole) - 1), bit=st.integers(0, 7), content=st.binary(max_size=60))
    def check(place, bit, content):
        flipped = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        found, message = outcome(read, tmp_path / "a.pt", flipped)
        assert message or is_same(found)
        assert outcome(read, tmp_path / "a.pt", whole[:place])[1] and outcome(read, tmp_path / "a.pt", content)[1]

    check()


class Harm:
    """Creates a file where it is unpickled."""

    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return Path.touch, (self.victim,)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2))])
@pytest.mark.parametrize("kind", FILES)
def test_weights_that_would_run_code_are_refused_and_it_is_not_run(kind, save, tmp_path):
    victim = tmp_path / "victim"
    save(STATE | {"harm": Harm(victim)}, tmp_path / "harm.pt")
    content = (tmp_path / "harm.pt").read_bytes()
    assert outcome(FILES[kind][1], tmp_path / "a.pt", content)[1]
    assert not victim.exists()
    torch.load(tmp_path / "harm.pt", weights_only=False) if save is torch.save else pickle.loads(content)  # noqa: S301
    assert victim.exists()  # it would have


ABOUT = {"role": "student", "network": "nafnet", "size": "micro"}
ODD_WEIGHTS = [
    3, [], {}, {"params": {}}, {"params": 3}, {1: 2}, {"distiller": {}}, {"distiller": {}, "about": 3},
    {"distiller": {}, "about": {"role": "student"}}, {"distiller": {}, "about": ABOUT},
    {"distiller": {}, "about": ABOUT | {"network": "no_such"}}, {"distiller": {}, "about": ABOUT | {"size": [1]}},
    {"distiller": {3: 4}, "about": ABOUT}, {"distiller": {"student.x": torch.ones(1)}, "about": ABOUT},
]  # fmt: skip


@pytest.mark.parametrize("value", ODD_WEIGHTS, ids=range(len(ODD_WEIGHTS)))
def test_files_of_other_things_than_weights_are_refused(value, tmp_path):
    torch.save(value, tmp_path / "odd.pt")
    content = (tmp_path / "odd.pt").read_bytes()
    assert outcome(read_weights, tmp_path / "a.pt", content)[1]
    assert outcome(ImportedTeacher.read, tmp_path / "a.pt", content)[1]


def test_a_damaged_checkpoint_is_none_and_named(tmp_path, caplog):
    state = {"config_sha256": "0", "step": 3, "distiller": STATE}
    write_checkpoint(tmp_path / "whole.pt", state)
    whole = (tmp_path / "whole.pt").read_bytes()

    def read(path):
        return read_checkpoint(path, "0")

    found, _ = outcome(read, tmp_path / "a.pt", whole)
    assert found["step"] == 3 and is_same(found["distiller"])

    @hostile
    @given(place=st.integers(0, len(whole) - 1), bit=st.integers(0, 7), content=st.binary(max_size=60))
    def check(place, bit, content):
        flipped = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        for damaged in (flipped, whole[:place], content):
            caplog.clear()
            assert outcome(read, tmp_path / "a.pt", damaged) == (None, "")
            assert f"{tmp_path / 'a.pt'}: damaged checkpoint" in caplog.text

    check()


def test_a_checkpoint_that_would_run_code_is_none_and_it_is_not_run(tmp_path, caplog):
    victim = tmp_path / "victim"
    write_checkpoint(tmp_path / "a.pt", {"config_sha256": "0", "harm": Harm(victim)})
    assert read_checkpoint(tmp_path / "a.pt", "0") is None
    assert "not readable as weights alone" in caplog.text and not victim.exists()
