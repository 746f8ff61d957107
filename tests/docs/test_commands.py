"""Every documented command is executed by somebody: the slow test of documented commands runs all but those named."""

import re
import shlex

import pytest
from typer.main import get_command

from bench import run
from bench.__main__ import app
from tests.docs.commands import (
    BY_A_READER,
    BY_AN_AUTHOR,
    BY_NOBODY,
    ELSEWHERE,
    ROOT,
    STANDS_FOR,
    documented,
    in_order,
    typed,
)

COMMANDS = documented()
SLOW = "tests/slow/test_documented_commands.py"


def test_commands_are_found_in_every_kind_of_place():
    assert COMMANDS["tox run -e bench"][0] == "README.md", "the second command of a line"
    assert "docs/pipeline.md" in COMMANDS["dvc metrics show --json"], "in a comment"
    assert COMMANDS["PYTHONPATH=examples/my_lab python -m bench check --method my_lab.edge_kd"], "on two lines"
    assert not any("Running stage" in command or "#" in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_executed_by_somebody(command):
    if command in ELSEWHERE or command in BY_NOBODY:
        return
    if typed(command).startswith(("dvc ", "git ")):
        message = f"nobody executes this command: give it a place in BY_AN_AUTHOR or BY_A_READER, for {SLOW}"
        assert typed(command) in BY_AN_AUTHOR + BY_A_READER, message
        return
    message = f"{SLOW} runs modules: say in ELSEWHERE who executes this command, or in BY_NOBODY why nobody does"
    assert re.match(r"([A-Z]+=\S+ )?python -m ", typed(command)), message
    unknown = re.findall(r"\b[A-Z_]{3,}\b(?!=)|<\w+>|\.\.\.", typed(command))
    assert not unknown, f"{unknown} stands for something: say in STANDS_FOR what is typed in its place"


@pytest.mark.parametrize("command", [command for command in in_order() if " -m bench" in command])
def test_its_options_exist(command):
    words = shlex.split(command)
    module, *words = words[words.index("-m") + 1 :]
    program = get_command({"bench": app, "bench.run": run.app}[module])
    while commands := getattr(program, "commands", None):
        program = commands[words.pop(0)]
    program.make_context(module, words)  # raises what the command would say


@pytest.mark.parametrize("command", ELSEWHERE)
def test_who_executes_it_elsewhere_does(command):
    path, text = ELSEWHERE[command]
    assert text in (ROOT / path).read_text(), f"{path} has no {text!r} anymore: name in ELSEWHERE who executes it"


def test_tox_runs_what_stands_for_it():
    assert STANDS_FOR["tox run -e bench"] in re.sub(r"\{work_dir\}\S*bin\{/\}", "", (ROOT / "tox.ini").read_text())


def test_no_entry_is_left_over():
    needless = [command for command in (*ELSEWHERE, *BY_NOBODY) if command not in COMMANDS]
    needless += [text for text in STANDS_FOR if not any(text in command for command in COMMANDS)]
    needless += [command for command in BY_AN_AUTHOR + BY_A_READER if command not in map(typed, COMMANDS)]
    assert not needless, "no page shows this anymore: take it out of tests/docs/commands.py"
