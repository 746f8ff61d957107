"""A real ``dvc repro`` that is killed takes its stage along, and can be run again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench import lifeline
from bench.lifeline import is_alive

pytestmark = pytest.mark.slow

ROOT = Path(lifeline.__file__).parents[1]
STAGE = """
import os, signal, sys, time
from pathlib import Path
from bench.lifeline import follow_parents
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
follow_parents()
Path("pid").write_text(str(os.getpid()))
while Path("endless").exists():
    time.sleep(0.05)
Path("made").write_text("made")
"""
PIPELINE = """
stages:
  first:
    cmd: python stage.py{tail}
    outs: [made]
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(command, check=True, timeout=120)
    (tmp_path / "stage.py").write_text(STAGE)
    return tmp_path


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize("dvc", [["dvc"], [sys.executable, "-m", "dvc"]], ids=["dvc", "python -m dvc"])
@pytest.mark.parametrize("tail", ["", "; true"], ids=["the last command", "in a shell"])
def test_a_killed_repro_takes_its_stage_along_and_can_be_run_again(repository, monkeypatch, shell, dvc, tail):
    if not Path(shell).exists():
        pytest.skip(f"there is no {shell}")
    monkeypatch.setenv("SHELL", shell)
    (repository / "dvc.yaml").write_text(PIPELINE.format(tail=tail))
    endless, pid = repository / "endless", repository / "pid"
    endless.touch()
    repro = subprocess.Popen([*dvc, "repro"])
    deadline = time.monotonic() + 60
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < deadline and repro.poll() is None, "the stage has not begun"
        time.sleep(0.05)
    stage = psutil.Process(int(pid.read_text()))
    repro.kill()
    repro.wait()
    started = time.monotonic()
    while is_alive(stage):
        assert time.monotonic() < started + 5, "the stage goes on alone"
        time.sleep(0.05)
    assert not (repository / "made").exists()
    endless.unlink()
    subprocess.run([*dvc, "repro"], check=True, timeout=120)
    assert (repository / "made").read_text() == "made"
