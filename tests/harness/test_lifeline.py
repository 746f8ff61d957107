"""A run ends with the DVC or launcher that it works for, and with nobody else."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from bench import lifeline
from bench.lifeline import follow_parents

ROOT = Path(lifeline.__file__).parents[1]
CHILD = """
    import signal, sys, time
    from pathlib import Path
    from bench import lifeline
    lifeline.POLL_SECONDS, lifeline.GRACE_SECONDS = 0.05, 1.0
    told = Path(sys.argv[1])
    def stop(*_):
        told.with_name("stopped").touch()
        if sys.argv[2] == "obeys":
            sys.exit(130)
    signal.signal(signal.SIGTERM, stop)
    try:
        lifeline.follow_parents()
    except ProcessLookupError as error:
        told.with_name("refused").write_text(str(error))
        sys.exit(2)
    told.touch()
    while True:
        time.sleep(0.05)
"""
LAUNCHER = """
    import os, subprocess, sys
    stage = {"DVC_STAGE": sys.argv[2]} if sys.argv[2] else {}
    subprocess.run(["sh", "-c", sys.argv[1]], env=os.environ | stage)
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """The file that a child makes when it follows; what it tells later stands beside it."""
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.delenv("SLKD_BENCH_FOLLOW", raising=False)
    (tmp_path / "child.py").write_text(textwrap.dedent(CHILD))
    yield tmp_path / "follows"
    for process in children(tmp_path):
        process.kill()


def children(folder):
    """The processes of a child's script that still run."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        is_child = process.info["cmdline"] and process.info["cmdline"][1:2] == [str(folder / "child.py")]
        if is_child and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def words(told, obeys=True):
    return [sys.executable, str(told.with_name("child.py")), str(told), "obeys" if obeys else "ignores"]


def launch(command, stage="", *launcher):
    """Starts a launcher in a session of its own, which runs a command in a shell, as a stage if that has a name."""
    arguments = launcher or ("-c", textwrap.dedent(LAUNCHER))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *arguments, command, stage], env=environment, start_new_session=True)


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("tail", ["", "; true"], ids=["the last command", "in a shell"])
def test_a_stage_stops_when_its_dvc_is_killed(told, tail):
    launcher = launch(" ".join(words(told)) + tail, "cohort@0")
    wait_for(told.exists)
    launcher.kill()  # not waited for: a zombie waits for nobody
    wait_for(lambda: not children(told.parent), seconds=5)
    assert told.with_name("stopped").exists()
    launcher.wait()


def test_a_stage_that_ignores_the_stop_is_killed(told):
    launcher = launch(" ".join(words(told, obeys=False)), "cohort@0")
    wait_for(told.exists)
    launcher.kill()
    wait_for(told.with_name("stopped").exists, seconds=5)
    assert children(told.parent), "there was no grace"
    wait_for(lambda: not children(told.parent), seconds=5)
    launcher.wait()


def test_a_run_outside_dvc_survives_its_shell(told):
    launcher = launch(" ".join(words(told)) + "; true")
    wait_for(told.exists)
    for process in [*psutil.Process(launcher.pid).children(), launcher]:
        process.kill()
    launcher.wait()
    time.sleep(0.5)
    assert len(children(told.parent)) == 1 and not told.with_name("stopped").exists()


def test_a_stage_in_a_stage_follows_the_inner_dvc(told, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    (tmp_path / "dvc").write_text(textwrap.dedent(LAUNCHER))
    inner = f"{sys.executable} {tmp_path / 'dvc'} '{' '.join(words(told))}; true' same"
    outer = launch(f"{inner}; while [ -e {gate} ]; do sleep 0.02; done", "same")
    wait_for(told.exists)
    (dvc,) = (p for p in psutil.Process(outer.pid).children(recursive=True) if str(tmp_path / "dvc") == p.cmdline()[1])
    dvc.kill()
    wait_for(lambda: not children(told.parent), seconds=5)
    gate.unlink()
    outer.wait()


def test_an_orphan_of_dvc_refuses_to_start(told):
    gate = told.with_name("gate")
    gate.touch()
    command = f"touch {told}.begun; while [ -e {gate} ]; do sleep 0.02; done; {' '.join(words(told))}"
    launcher = launch(command, "cohort@0")
    wait_for(Path(f"{told}.begun").exists)
    launcher.kill()
    launcher.wait()
    gate.unlink()
    wait_for(lambda: told.with_name("refused").exists() and told.with_name("refused").read_text())
    assert "DVC_STAGE=cohort@0 says that DVC runs this process" in told.with_name("refused").read_text()


def test_a_variable_left_over_from_a_stage_is_refused_though_its_shell_lives(told):
    environment = os.environ | {"DVC_STAGE": "cohort@0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words(told), env=environment, start_new_session=True, timeout=20, check=False)
    assert done.returncode == 2 and "unset DVC_STAGE" in told.with_name("refused").read_text()


@pytest.mark.parametrize("name", ["launcher", "dvc"])
def test_a_stage_in_a_session_of_its_own_follows_its_dvc(told, tmp_path, name):
    (tmp_path / name).write_text(textwrap.dedent(LAUNCHER))
    command = f"{' '.join(words(told))}; true"
    command = f"exec setsid sh -c '{command}'" if name == "dvc" else f"setsid {command}"
    launcher = launch(command, "cohort@0", str(tmp_path / name))
    wait_for(told.exists)
    launcher.kill()
    wait_for(lambda: not children(told.parent), seconds=5)
    launcher.wait()


@pytest.mark.parametrize("secrets", [("environ",), ("environ", "cmdline")])
def test_an_ancestor_of_another_user_has_not_inherited_the_variable(monkeypatch, secrets):
    def refuse(process):
        raise psutil.AccessDenied(process.pid)

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        monkeypatch.setattr(psutil.Process, "parents", lambda process: [psutil.Process(other.pid)])
        for secret in secrets:
            monkeypatch.setattr(psutil.Process, secret, refuse)
        assert lifeline._dvc("cohort@0").pid == other.pid
        other.communicate(b"\n")


@pytest.mark.parametrize("pids", [[], [1]])
def test_an_orphan_of_process_1_has_no_dvc(monkeypatch, pids):
    monkeypatch.setattr(psutil.Process, "parents", lambda process: [psutil.Process(pid) for pid in pids])
    monkeypatch.setattr(os, "getsid", lambda pid: 1)
    with pytest.raises(ProcessLookupError, match="that DVC has ended"):
        lifeline._dvc("cohort@0")


def test_any_launcher_can_be_followed(told, monkeypatch):
    launcher = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    environment = os.environ | {"SLKD_BENCH_FOLLOW": str(launcher.pid), "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(words(told), env=environment)
    wait_for(told.exists)
    launcher.communicate(b"\n")
    assert child.wait(timeout=5) == 130


@pytest.mark.parametrize("pid", ["", "dvc", "-1", "4711 "])
def test_what_is_no_process_id_is_refused(monkeypatch, pid):
    monkeypatch.setenv("SLKD_BENCH_FOLLOW", pid)
    with pytest.raises(ValueError, match="expected the id of a process"):
        follow_parents()


@pytest.mark.parametrize("is_zombie", [True, False])
def test_a_launcher_that_has_ended_is_refused(monkeypatch, is_zombie):
    process = subprocess.Popen(["true"])
    if not is_zombie:
        process.wait()
    wait_for(lambda: not psutil.pid_exists(process.pid) or psutil.Process(process.pid).status() == "zombie")
    monkeypatch.setenv("SLKD_BENCH_FOLLOW", str(process.pid))
    with pytest.raises(ProcessLookupError, match="expected a process that runs"):
        follow_parents()
    process.wait()


def test_a_message_that_cannot_be_printed_does_not_keep_a_run_alive(monkeypatch):
    sent = []

    def fail(*_):
        raise SystemExit

    monkeypatch.setattr(lifeline, "GRACE_SECONDS", 0)
    monkeypatch.setattr(lifeline.log, "error", fail)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    ended = subprocess.Popen(["true"])
    process = psutil.Process(ended.pid)
    ended.wait()
    with pytest.raises(SystemExit):
        lifeline._follow([process])
    assert sent == [(os.getpid(), signal.SIGTERM), (os.getpid(), signal.SIGKILL)]
