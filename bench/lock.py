"""One runner per cell: locks that outlive neither their process nor, on a shared file system, their host."""

import errno
import fcntl
import logging
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

import psutil
from pydantic import AwareDatetime, PositiveInt

from bench.lifeline import is_alive
from bench.record import StrictRecord, read_record

HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 120.0
"""Age from which the lock of another host is nobody's: some heartbeats may be late, and shared file systems lag."""
CANNOT_LOCK = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}

log = logging.getLogger(__name__)


class Holder(StrictRecord):
    """Who holds a lock.

    Attributes:
        pid: The id of its process.
        started: When that process started, in seconds after the host's boot: a later process may get the same id. Wall
            clocks do not tell, as they are set.
        host: The host's name.
        boot: An id of the host's boot, empty where it has none: ids and starts come again after the next one.
        pid_namespace: Where the ids of processes hold, as every container has its own; empty where there are none.
        command: The command line.
        since: When the lock was taken, to the microsecond; with the rest, no two holders are equal.
    """

    pid: PositiveInt
    started: float
    host: str
    boot: str
    pid_namespace: str
    command: str
    since: AwareDatetime

    @classmethod
    def here(cls) -> Self:
        """This process, as from now."""
        return cls(
            pid=os.getpid(),
            started=_started(psutil.Process()),
            host=socket.gethostname(),
            boot=_boot(),
            pid_namespace=_pid_namespace(),
            command=os.fsencode(shlex.join(sys.orig_argv)).decode(errors="replace"),
            since=datetime.now(UTC),
        )

    def describe(self) -> str:
        """The holder in words, with local time."""
        return f"process {self.pid} on {self.host} since {self.since.astimezone():%Y-%m-%d %H:%M} ({self.command})"

    def lives(self, age: float) -> bool:
        """Whether its process still runs; one that cannot be seen from here is judged by its heartbeat.

        Args:
            age: Seconds since the last heartbeat.
        """
        if self.host == socket.gethostname():
            if self.boot != _boot():
                return False
            if self.pid_namespace == _pid_namespace():
                return self._runs_here()
        return age <= STALE_SECONDS

    def _runs_here(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return abs(_started(process) - self.started) < 1 and is_alive(process)
        except psutil.NoSuchProcess:
            return False


class CellLock:
    """A lock that one process at a time can hold, and in it one object; leaving its ``with`` block releases it.

    It is a small file that tells who holds it, and whose modification time a thread renews meanwhile. A process that
    was suspended for minutes may find that another host has taken it for dead, and its lock over. The lock is lost
    then, and what it protected must not be written any more.

    Attributes:
        path: The file. Its folder also gets the file ``.guard``, which stays.
        is_lost: Whether the lock was taken over by another.
    """

    def __init__(self, path: Path, on_lost: Callable[[], None] = lambda: None) -> None:
        """Takes nothing yet.

        Args:
            path: The file of the lock.
            on_lost: Called when it is found that the lock is lost, mostly from another thread.
        """
        self.path = path
        self.is_lost = False
        self._on_lost = on_lost
        self._mine: Holder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> Holder | None:
        """Takes the lock at once, or returns who holds it, which may be this process itself.

        Raises:
            OSError: The lock cannot be written, or the file system cannot lock files.
        """
        with _guard(self.path) as now:
            if holder := _living_holder(self.path, now):
                return holder
            self._mine, self.is_lost = Holder.here(), False  # before it is written: an interrupted write is released
            _write(self.path, self._mine)
        _held.add(self)
        with _starting:
            _start_heartbeat()
        return None

    def release(self) -> None:
        """Gives the lock back where it is still held."""
        _held.discard(self)
        with _guard(self.path):
            if self._is_mine():
                self.path.unlink()
            self._mine = None

    def renew(self) -> bool:
        """Shows that the holder lives; returns whether the lock is held indeed: ask before results are written."""
        with _guard(self.path):
            if self._is_mine():
                os.utime(self.path)
                return True
            if self._mine is None:
                return False
            self._mine, self.is_lost = None, True
        _held.discard(self)
        log.error("%s: the lock is lost: another run took it over, or the file was deleted", self.path)
        self._on_lost()
        return False

    def _is_mine(self) -> bool:
        try:
            return self._mine is not None and read_record(self.path, Holder) == self._mine
        except (FileNotFoundError, ValueError):
            return False


_held: set[CellLock] = set()
_starting = threading.Lock()


@cache
def _start_heartbeat() -> None:
    threading.Thread(target=_beat, name="heartbeat", daemon=True).start()


def _beat() -> None:
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        for lock in tuple(_held):
            try:
                lock.renew()
            except Exception:  # of on_lost, or a file system that is away for now: the other locks need their beat
                log.exception("%s: the lock could not be renewed; trying again in %g s", lock.path, HEARTBEAT_SECONDS)


@contextmanager
def _guard(path: Path) -> Iterator[float]:
    """Excludes all other processes and threads from the locks of a folder, for moments.

    Yields:
        The time in seconds by the clock that stamps the files: hosts that share them may not agree on any other.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(".guard").open("ab") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in CANNOT_LOCK:
                raise
            reason = "expected a file system that can lock files (flock); move the folder, or mount it with locks"
            raise OSError(error.errno, reason, guard.name) from error
        os.utime(guard.fileno())
        yield os.fstat(guard.fileno()).st_mtime


def _living_holder(path: Path, now: float) -> Holder | None:
    """Who holds a lock; None where nobody does any more. Only to be asked under the guard."""
    try:
        holder = read_record(path, Holder)
        age = now - path.stat().st_mtime
    except FileNotFoundError:
        return None
    except ValueError:  # written under the guard, thus damaged for good
        log.warning("%s: taken over: the lock is damaged and tells no holder", path)
        return None
    if holder.lives(age):
        return holder
    log.warning("%s: taken over from %s, which has ended", path, holder.describe())
    return None


def _write(path: Path, holder: Holder) -> None:
    try:
        path.write_text(
            f"{holder.model_dump_json(indent=2)}\n"
        )  # in place: a kill leaves a damaged lock, no other file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.errno, f"the lock cannot be written: {error.strerror}", str(path)) from error


def _started(process: psutil.Process) -> float:
    """When a process started, in seconds after the boot: the same after the clock was set, up to rounding."""
    return process.create_time() - psutil.boot_time()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        return ""


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except FileNotFoundError:
        return ""
