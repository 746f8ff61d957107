"""Every command that the documentation shows, and who executes it: what the tests of commands share."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "examples/*/README.md")
IS_COMMAND = re.compile(r"(?:[A-Z]+=\S+ )?(?:python -m|dvc|git|pytest|torchrun|tox|pip)(?: |$)")

STANDS_FOR: Mapping[str, str] = {
    "gopro --from DIR": "gopro --from ~/Downloads/GOPRO_Large",
    "rain100l --from DIR": "rain100l --from ~/Downloads/Rain100L",
    "fit-niqe --from DIR": "fit-niqe --from photographs",
    "import SET --from FILE_OR_DIR": "import cbsd68 --from ~/Downloads/CBSD68.zip",
    "--restored DIR --clean DIR": "--restored outputs --clean originals",
    "--weights FILE --test-set SET": "--weights deraining.pth --test-set rain100l",
    "--weights FILE": "--weights deraining.pth",
    "explain RECORD": "explain results/quick/cells/denoising/nafnet/seed0/slkd/noise_50.json",
    "verify CELL": "verify denoising/nafnet/seed0/slkd",
    "export CELL": "export denoising/nafnet/seed0/slkd",
    "bench profile CELL": "bench profile denoising/nafnet/seed0/slkd",
    "--method <name>": "--method gradient_kd",
    "--results DIR": "--results results/local/mine",
    "--diff OTHER": "--diff results",
    "s3://bucket/folder": "../shared",
    # These would take long, or need the network: what is left of them is as it is written.
    "train.steps=4000": "train.steps=4",
    "train.steps=500": "train.steps=5",
    "train.steps=400": "train.steps=4",
    "methods --measure": "methods --measure --method fakd --rounds 1 --batch 2 --crop-size 32 --threads 1",
    "pip install -e": "pip install --no-deps --no-build-isolation --ignore-installed --prefix installed -e",
    "tox run -e bench": "python -m bench.run --all --profile quick --results results/local/quick",
}
"""What is typed in the place of what, one after the other."""

ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "python -m pip install tox": (".ci/run", "python -m pip install tox"),
    "tox run -e tests": (".ci/run", "tox run -e tests"),
    "tox run -e lint,types,imports,report": (".ci/run", "tox run -e lint,types,imports,report"),
    "pytest": ("tox.ini", "commands = pytest "),
    "pytest -n 2": ("tox.ini", "commands = pytest -n 2 "),
    "pytest -m slow": ("tox.ini", "pytest -m slow"),
    "pytest --benchmark": ("tox.ini", "pytest --benchmark"),
    "python -m bench.run --all --executor slurm": ("tests/slurm/test_real_slurm.py", '"--executor", "slurm"'),
    "python -m bench.run --all --executor slurm --slurm partition=gpu --slurm time=240 --watch": (
        "tests/slurm/test_real_slurm.py",
        '"--slurm", "time=5"',
    ),
    "torchrun --nproc-per-node 2 -m bench.run --all": ("tests/harness/test_ranks.py", 'module="bench.run"'),
    "tox run -e slurm": ("tox.ini", "pytest -m slurm"),
    "python -m bench.stats_simulations": ("tests/slow/test_stats_simulations.py", "simulate(20, CONSTRUCTIONS)"),
}
"""Commands that others execute: a file, and the text in it that does."""

BY_NOBODY: Mapping[str, str] = {
    "dvc metrics": "the name of a family of commands, of which others are executed",
    "dvc plots": "the name of a family of commands, of which others are executed",
}
"""Commands that nothing executes, and why."""

FIRST = ("python -m pip", "python -m bench data import", "python -m bench.run", "python -m bench evaluate --network")
LAST = ("python -m bench crops", "python -m bench data describe", "python -m bench report", "python -m bench teach")
"""In which order commands find what they need; the others come between, all as the pages have them."""
AT_THE_END = "python -m bench data make"
"""It puts other images into the place of those that records rest on."""

BY_AN_AUTHOR = (
    "dvc add data",
    "dvc push",
    "dvc pull data.dvc",
    "dvc repro",
    "dvc repro teach@denoising-nafnet",
    "dvc remote add lab ../shared",
    "dvc push --remote lab",
    "git add --all",
    "git commit",
    "git push",
    "dvc exp run --queue --name short --set-param train.steps=5",
    "dvc exp run --run-all",
    "dvc exp run --name longer --set-param train.steps=4",
    "dvc params diff",
    "dvc metrics diff",
    "dvc metrics diff main longer",
    "dvc metrics show --json",
    "dvc plots diff",
    "dvc plots show",
    "dvc exp show --only-changed",
    "dvc exp show --only-changed --drop '.*(oracle|teacher|input).*'",
    "dvc exp apply longer",
    "dvc exp push origin longer --remote lab",
)
BY_A_READER = ("git pull", "dvc pull --remote lab", "dvc repro", "dvc remote add --default mine path/to/folder")
"""Commands of DVC and Git in an order that makes sense, in the author's clone and then in another one: an experiment
can be pushed only to remotes that were in the commit that it was run from."""


def documented() -> dict[str, list[str]]:
    """Every command as it is written, with the pages that show it."""
    commands: dict[str, list[str]] = {}
    for page in (path for pattern in PAGES for path in sorted(ROOT.glob(pattern))):
        for command in _commands(page.read_text(encoding="utf-8")):
            pages = commands.setdefault(command, [])
            pages += [name] if (name := page.relative_to(ROOT).as_posix()) not in pages else []
    return commands


def typed(command: str) -> str:
    """A command with real things in the place of words that stand for them."""
    for text, real in STANDS_FOR.items():
        command = command.replace(text, real)
    return command


def in_order() -> list[str]:
    """The commands that run in a clone, as they are typed, each once."""
    left = [command for command in documented() if command not in ELSEWHERE and command not in BY_NOBODY]
    commands = dict.fromkeys(command for command in map(typed, left) if not command.startswith(("dvc ", "git ")))
    return sorted(commands, key=_turn)


def _turn(command: str) -> int:
    turns = {prefix: turn for turn, prefix in enumerate((*LAST, AT_THE_END), start=1)}
    turns |= {prefix: turn - len(FIRST) for turn, prefix in enumerate(FIRST)}
    return next((turn for prefix, turn in turns.items() if command.startswith(prefix)), 0)


def _commands(page: str) -> Iterator[str]:
    """The commands of a page: those of its console blocks, in their comments too, and those in its sentences."""
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        lines = block.splitlines()
        prompted = [line[2:] for line in lines if line.startswith("$ ")]  # the others are what is printed
        for line in prompted or lines:
            command, _, comment = line.partition(" #")
            parts = [*command.split("&&"), *re.split("[;:`]", comment)]
            yield from (part.strip() for part in parts if IS_COMMAND.match(part.strip()))
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    sentences = (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))
    yield from (code for code in sentences if IS_COMMAND.match(code))
