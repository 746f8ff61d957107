"""One runner per cell: whatever dies, stops, races or writes nonsense."""

import errno
import fcntl
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bench import lock as module
from bench.lock import STALE_SECONDS, CellLock, Holder
from bench.record import write_record

ROOT = Path(module.__file__).parents[1]
INDICES = st.integers(0, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "locks" / "cell.json"


def python(script, *arguments):
    """Starts a process that speaks and listens."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.fixture
def holder(path):
    """Another process that holds the lock, with a quick heartbeat."""
    script = """
        import sys
        from pathlib import Path
        from bench import lock
        lock.HEARTBEAT_SECONDS = 0.05
        held = lock.CellLock(Path(sys.argv[1]), on_lost=lambda: print("lost", flush=True))
        print(held.acquire(), flush=True)
        sys.stdin.readline()
        held.release()
    """
    process = python(script, path)
    assert process.stdout.readline() == "None\n"
    yield process
    process.kill()
    process.communicate()


def leave(path, age=0.0, **changes):
    """Leaves the lock of another holder, whose last heartbeat was some seconds ago."""
    write_record(path, Holder.here().model_copy(update=changes))
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


def test_who_holds_the_lock_is_told(path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "bench.run", "--all"])
    first, second = CellLock(path), CellLock(path)
    assert first.acquire() is None
    holder = second.acquire()
    assert holder.pid == os.getpid() and holder == first.acquire()
    begin = re.escape(f"process {os.getpid()} on {socket.gethostname()} since ")
    assert re.fullmatch(rf"{begin}\d{{4}}-\d\d-\d\d \d\d:\d\d \(python -m bench\.run --all\)", holder.describe())
    second.release()
    assert second.acquire() == holder, "one that does not hold the lock has released it"
    first.release()
    assert second.acquire() is None
    second.release()
    assert [file.name for file in path.parent.iterdir()] == [".guard"]


def test_leaving_the_block_releases(path):
    with pytest.raises(KeyboardInterrupt), CellLock(path) as lock:
        assert lock.acquire() is None
        raise KeyboardInterrupt
    assert not path.exists() and not lock.renew() and not lock.is_lost


def test_eight_processes_are_alone_in_each_of_twenty_locks(tmp_path):
    script = """
        import random, sys, time
        from pathlib import Path
        from bench.lock import CellLock
        folder, left = Path(sys.argv[1]), [f"{i}.json" for i in range(20)]
        print("ready", flush=True)
        sys.stdin.readline()
        while left:
            name = random.choice(left)
            with CellLock(folder / name) as lock:
                if lock.acquire() is None:
                    alone = folder / f"{name}.alone"
                    alone.touch(exist_ok=False)
                    time.sleep(0.002)
                    alone.unlink()
                    left.remove(name)
    """
    processes = [python(script, tmp_path) for _ in range(8)]
    assert all(process.stdout.readline() == "ready\n" for process in processes)
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 8
    assert [file.name for file in tmp_path.iterdir()] == [".guard"]


@pytest.mark.parametrize("content", ["dead", "damaged", "free"])
def test_one_of_many_threads_takes_it(path, content):
    if content == "dead":
        leave(path, boot="another")
    if content == "damaged":
        path.parent.mkdir()
        path.touch()
    locks, barrier, found = [CellLock(path) for _ in range(12)], threading.Barrier(12), []

    def attempt(lock):
        barrier.wait()
        found.append(lock.acquire())

    threads = [threading.Thread(target=attempt, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(None) == 1
    assert len({holder for holder in found if holder}) == 1
    for lock in locks:
        lock.release()
    assert not path.exists()


def test_a_killed_holder_is_succeeded(path, holder, caplog):
    assert CellLock(path).acquire().pid == holder.pid
    holder.kill()
    while psutil.Process(holder.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    with CellLock(path) as lock:
        assert lock.acquire() is None, "a zombie holds the lock"
    assert f"taken over from process {holder.pid} on" in caplog.text


def test_a_suspended_holder_keeps_the_lock(path, holder):
    holder.send_signal(signal.SIGSTOP)
    os.utime(path, (0, 0))
    assert CellLock(path).acquire().pid == holder.pid
    holder.send_signal(signal.SIGCONT)


def test_a_holder_renews_until_it_finds_the_lock_lost(path, holder):
    os.utime(path, (0, 0))
    wait_for(lambda: path.stat().st_mtime > 0)
    leave(path, host="elsewhere")
    assert holder.stdout.readline() == "lost\n"
    holder.communicate("end\n", timeout=20)
    assert Holder.model_validate_json(path.read_bytes()).host == "elsewhere", "it released the lock of another"


def test_a_loss_is_told_once(path):
    told = []
    lock = CellLock(path, on_lost=lambda: told.append("lost"))
    assert lock.acquire() is None and lock.renew()
    path.unlink()
    assert not lock.renew() and not lock.renew() and lock.is_lost
    assert told == ["lost"]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_locks_of_a_process_share_one_heartbeat_which_survives_what_a_caller_does(path, monkeypatch, caplog):
    def fail():
        raise RuntimeError("on_lost failed")

    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.02)
    module._start_heartbeat.cache_clear()  # one that has begun to wait for 15 s stays as well
    before = threading.active_count()
    others = [CellLock(path.with_name(f"{i}.json"), on_lost=fail if i < 3 else lambda: None) for i in range(6)]
    assert [lock.acquire() for lock in others] == [None] * 6
    assert threading.active_count() == before + 1
    for lock in others[:3]:
        lock.path.unlink()
    wait_for(lambda: sum(lock.is_lost for lock in others) == 3)
    os.utime(others[5].path, (0, 0))
    wait_for(lambda: others[5].path.stat().st_mtime > 0)
    for lock in others:
        lock.release()
    assert caplog.text.count("RuntimeError: on_lost failed") == 3


@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        ({}, True),
        ({"started": 12.25}, False),
        ({"pid": 2**22 + 1}, False),
        ({"pid": 10**30}, False),
        ({"boot": "another"}, False),
    ],
)
def test_on_this_host_the_process_itself_is_looked_up(path, changes, is_held):
    leave(path, age=10 * STALE_SECONDS if is_held else 0, **changes)
    with CellLock(path) as lock:
        assert (lock.acquire() is not None) == is_held


def test_a_clock_that_was_set_makes_no_other_process(path, monkeypatch):
    leave(path)
    create_time, boot_time = psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 7200)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + 7200)
    assert CellLock(path).acquire().pid == os.getpid()


@pytest.mark.parametrize("elsewhere", [{"host": "elsewhere", "boot": "another"}, {"pid_namespace": "pid:[1]"}])
@pytest.mark.parametrize("skew", [timedelta(), timedelta(hours=5), timedelta(hours=-5)])
@pytest.mark.parametrize(("age", "is_held"), [(0, True), (STALE_SECONDS - 20, True), (STALE_SECONDS + 20, False)])
def test_elsewhere_the_heartbeat_tells_by_the_clock_of_the_files(path, monkeypatch, elsewhere, skew, age, is_held):
    leave(path, age, pid=2**22 + 1, **elsewhere)
    path.with_name(".guard").touch()
    os.utime(path.with_name(".guard"), (0, 0))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + skew.total_seconds())
    with CellLock(path) as lock:
        assert (lock.acquire() is not None) == is_held


def test_a_holder_from_nowhere_is_asked_like_any_other(path, monkeypatch):
    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(Path, "readlink", missing)
    leave(path)
    holder = CellLock(path).acquire()
    assert holder.boot == holder.pid_namespace == "" and holder.pid == os.getpid()


def missing(path):
    raise FileNotFoundError(path)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_damaged_holds_nothing(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "cell.json"
    whole = Holder.here().model_dump(mode="json")
    cut = st.integers(0, 40).map(lambda end: json.dumps(whole).encode()[:end])
    wrong = st.sampled_from([{"pid": -1}, {"pid": 0}, {"started": None}, {"since": "noon"}, {"extra": 1}])
    path.write_bytes(data.draw(st.binary() | cut | wrong.map(lambda change: json.dumps(whole | change).encode())))
    with CellLock(path) as lock:
        assert lock.acquire() is None
    assert not path.exists()


def test_a_full_disk_leaves_nothing_half_written(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lock = CellLock(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        with pytest.raises(OSError, match=f"the lock cannot be written: .*{path.name}"):
            lock.acquire()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in path.parent.iterdir()] == [".guard"]
    assert lock.acquire() is None
    lock.release()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_that_cannot_lock_is_refused(path, monkeypatch, code):
    monkeypatch.setattr(fcntl, "flock", refuse(code))
    with pytest.raises(OSError, match=r"file system that can lock files .*\.guard"):
        CellLock(path).acquire()
    assert not path.exists()


def test_other_errors_of_the_file_system_stay_what_they_are(path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        CellLock(path).acquire()


def refuse(code):
    def flock(file, operation):
        raise OSError(code, os.strerror(code))

    return flock


def test_a_command_that_is_no_text_can_hold_a_lock(path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", os.fsdecode(b"\xff.yaml")])
    with CellLock(path) as lock:
        assert lock.acquire() is None
        assert ".yaml" in CellLock(path).acquire().command


class Rivals(RuleBasedStateMachine):
    """Three objects and another host want one lock; at most one has it at any time."""

    def __init__(self):
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "cell.json"
        self.lost = []
        self.locks = [CellLock(self.path, on_lost=lambda i=i: self.lost.append(i)) for i in range(3)]
        self.owner = None  # who should have the lock: an index, "elsewhere" or nobody
        self.robbed = set()  # who has been robbed and does not know it

    @rule(i=INDICES)
    def acquire(self, i):
        is_free = self.owner is None
        assert (self.locks[i].acquire() is None) == is_free
        if is_free:
            self.owner = i
            self.robbed.discard(i)

    @rule(i=INDICES)
    def release(self, i):
        self.locks[i].release()
        self.owner = None if self.owner == i else self.owner
        self.robbed.discard(i)

    @rule(i=INDICES)
    def renew(self, i):
        self.lost.clear()
        assert self.locks[i].renew() == (self.owner == i)
        assert self.lost == [i] * (i in self.robbed)
        assert self.locks[i].is_lost or i not in self.robbed
        self.robbed.discard(i)

    @rule()
    def rob(self):
        if isinstance(self.owner, int):
            self.robbed.add(self.owner)
        leave(self.path, host="elsewhere")
        self.owner = "elsewhere"

    @precondition(lambda self: self.owner == "elsewhere")
    @rule()
    def fall_silent(self):
        os.utime(self.path, (0, 0))
        self.owner = None

    @invariant()
    def the_file_tells_who_has_it(self):
        if self.owner is not None:
            is_elsewhere = Holder.model_validate_json(self.path.read_bytes()).host == "elsewhere"
            assert is_elsewhere == (self.owner == "elsewhere")

    def teardown(self):
        for lock in self.locks:
            lock.release()
        self.folder.cleanup()


TestRivals = Rivals.TestCase
TestRivals.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
