"""The newcomer's hour: every documented command runs as it is typed, in a small clone, and leaves what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.clone import make_clone
from tests.docs.commands import BY_A_READER, BY_AN_AUTHOR, ROOT, in_order
from tests.docs.shell import run

pytestmark = pytest.mark.slow

PROCESSES = ("python -m bench list", "python -m bench.run --all --profile paper --dry-run")
"""Both programs once as the processes that they are; the others begin with their imports done."""
TOLD = re.compile(
    r"(?:^|written: |tables: |records: |means in |every image in )((?:results|datasets|weights)/[\w./@-]+\w)"
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return make_clone(tmp_path_factory.mktemp("newcomer"))


def shell(command, folder):
    """Runs a command in a shell; returns its exit code, and what it printed."""
    settings = {
        # The stages of dvc.yaml call `python`, which must be the one that runs the tests.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent / "home"), "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1",
        "GIT_EDITOR": "echo Results >", "GIT_PAGER": "cat", "DVC_PAGER": "cat",
        **{f"GIT_{who}_{what}": "a@b.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip
    done = subprocess.run(
        command, shell=True, cwd=folder, env=os.environ | settings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=600,
    )  # fmt: skip
    return done.returncode, done.stdout


def expected(command, printed):
    """The paths that a command was told to write, and that it says it wrote."""
    asked = re.findall(r"--(?:results|out|save) (\S+)", command) if "--dry-run" not in command else []
    return [*asked, *(path for line in printed.splitlines() for path in TOLD.findall(line))]


@pytest.mark.parametrize("command", in_order())
def test_it_runs(command, clone):
    code, printed = shell(command, clone) if command in PROCESSES else run(command, clone, clone.parent / "home")
    assert code == 0, f"{command} ended with {code}:\n{printed}"
    assert "Traceback" not in printed and "does not provide the extra" not in printed, printed
    missing = [path for path in expected(command, printed) if not (clone / path).exists()]
    assert not missing, f"{command} does not leave {missing}:\n{printed}"


def test_the_embedded_images_were_made_anew_to_the_byte(clone):
    assert (clone / "data.sha256").read_text() == (ROOT / "data.sha256").read_text()


@pytest.fixture(scope="module")
def author(tmp_path_factory):
    """A clone with a smaller grid yet, of a repository that takes what is pushed."""
    folder = make_clone(tmp_path_factory.mktemp("author"))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    small = {"tasks": ["denoising"], "methods": ["scratch", "slkd"], "seeds": [0]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params | small))
    for command in (
        "git init --quiet --initial-branch main && git add --all && git commit --quiet",
        "git init --quiet --bare --initial-branch main ../origin && git remote add origin ../origin",
        "git push --quiet --set-upstream origin main",
        "git clone --quiet ../origin ../reader",
    ):
        code, printed = shell(command, folder)
        assert code == 0, printed
    return folder


@pytest.mark.parametrize(
    ("who", "command"),
    [*(("author", command) for command in BY_AN_AUTHOR), *(("reader", command) for command in BY_A_READER)],
)
def test_dvc_and_git_do_it(who, command, author):
    code, printed = shell(command, author.parent / ("clone" if who == "author" else who))
    assert code == 0, f"{command} ended with {code}:\n{printed}"
    assert not (who == "reader" and "Running stage 'cohort" in printed), "a reader trains no student again"
