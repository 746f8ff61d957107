"""Trainings end with whoever waits for them: a run whose ``dvc repro`` was killed must not go on alone."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

POLL_SECONDS = 1.0
GRACE_SECONDS = 60.0
"""What a training gets to write its checkpoint, between SIGTERM and SIGKILL."""

log = logging.getLogger(__name__)


def follow_parents() -> None:
    """Has this process stopped when the process that it works for has ended, even by SIGKILL.

    Two are followed, where there are any: the DVC that runs this process as a stage, and the process whose id another
    launcher gives in the environment variable ``SLKD_BENCH_FOLLOW``. A shell or terminal does not count: a run that was
    started with ``nohup`` or ``setsid`` outlives it. The stop comes as SIGTERM, on which a training writes a checkpoint
    and ends, and as SIGKILL where that has not helped after ``GRACE_SECONDS``.

    Raises:
        ValueError: ``SLKD_BENCH_FOLLOW`` is no process id.
        ProcessLookupError: The process to follow has ended before this one began to follow it.
    """
    followed = tuple(_followed())
    if followed:
        threading.Thread(target=_follow, args=(followed,), name="lifeline", daemon=True).start()


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs: neither another one with its id counts, nor one that nobody has waited for yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _followed() -> Iterator[psutil.Process]:
    if "SLKD_BENCH_FOLLOW" in os.environ:
        yield _named(os.environ["SLKD_BENCH_FOLLOW"])
    if "DVC_STAGE" in os.environ:
        yield _dvc(os.environ["DVC_STAGE"])


def _named(pid: str) -> psutil.Process:
    if not pid.isdecimal():
        raise ValueError(f"SLKD_BENCH_FOLLOW={pid}: expected the id of a process, such as 4711")
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(pid))
        if is_alive(process):
            return process
    raise ProcessLookupError(f"SLKD_BENCH_FOLLOW={pid}: expected a process that runs; name another, or unset it")


def _dvc(stage: str) -> psutil.Process:
    """The DVC that runs a stage: by its name, or as the nearest ancestor without the variable that it gives to a stage.

    An orphan's parent is a reaper of processes, which lacks the variable too: process 1, or one of another session;
    DVC runs its stages in its own.
    """
    with suppress(psutil.NoSuchProcess, ProcessLookupError):  # an ancestor that ends meanwhile leaves an orphan
        child = psutil.Process()
        for process in child.parents():
            is_origin = _stage_of(process) != stage
            is_reaper = process.pid == 1 or os.getsid(process.pid) != os.getsid(child.pid)
            if _is_called_dvc(process) or (is_origin and not is_reaper):
                return process
            if is_origin:
                break
            child = process
    raise ProcessLookupError(
        f"DVC_STAGE={stage} says that DVC runs this process, but that DVC has ended: run `dvc repro` again; where the "
        "variable is left over in a shell, `unset DVC_STAGE`"
    )


def _stage_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("DVC_STAGE")
    except psutil.AccessDenied:  # another user's, who has not inherited our variables
        return None


def _is_called_dvc(process: psutil.Process) -> bool:
    """Whether a process is ``dvc``, ``python dvc`` or ``python -m dvc``."""
    try:
        return "dvc" in (Path(word).name for word in process.cmdline()[:3])
    except psutil.AccessDenied:
        return False


def _follow(followed: Iterable[psutil.Process]) -> None:
    while not (ended := [process for process in followed if not is_alive(process)]):
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        log.error("process %d, which this run works for, has ended: stopping", ended[0].pid)
    finally:  # the terminal may have gone as well, and the message with it
        time.sleep(GRACE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)
