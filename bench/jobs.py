"""One request in several processes: each takes the cells that no other one has."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.atomic import write_atomically

GROUP = "SLKD_BENCH_JOBS"
"""The environment variable in which the jobs of one request find what they have in common."""
FOLLOW = "SLKD_BENCH_FOLLOW"


def group() -> str:
    """Of which request this process is a job; empty for a run of its own."""
    return os.environ.get(GROUP, "")


def as_arguments(options: Mapping[str, Any]) -> list[str]:
    """A command line's options: a list is repeated, true is a flag, and what is None, false or empty is left out."""
    arguments: list[str] = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value] if value is not None else []
        for one in values:
            arguments += [] if one is False else [name] if one is True else [name, str(one)]
    return arguments


def run_jobs(
    count: int,
    arguments: Sequence[str],
    show: Callable[[str], None],
    is_fail_fast: bool = False,
    gpus: Sequence[str] = (),
) -> list[int]:
    """Runs the benchmark in several processes on this machine, which end when this one does.

    Args:
        count: How many processes.
        arguments: Of ``python -m bench.run``, the same for all.
        show: Is given every line that they print, behind the number of its process.
        is_fail_fast: Whether the first that fails ends the others.
        gpus: They are dealt out in turn, as ``CUDA_VISIBLE_DEVICES`` names them; several processes may share one.

    Returns:
        Their exit codes; negative for one that was killed, whose cells the others take over.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the processes have ended with checkpoints.
    """
    environment = os.environ | {GROUP: uuid.uuid4().hex, FOLLOW: str(os.getpid())}
    command = [sys.executable, "-m", "bench.run", *arguments]
    given = [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {} for number in range(count)]
    jobs = [
        subprocess.Popen(command, env=environment | gpu, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for gpu in given
    ]
    threads = [
        threading.Thread(target=_pass_on, args=(job, number, jobs if is_fail_fast else (), show))
        for number, job in enumerate(jobs, start=1)
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        _stop(jobs)
        for thread in threads:
            thread.join()
        raise
    return [job.wait() for job in jobs]


def _pass_on(
    job: subprocess.Popen[str], number: int, others: Sequence[subprocess.Popen[str]], show: Callable[[str], None]
) -> None:
    """Shows what a job prints until it ends; one that fails then stops the others."""
    assert job.stdout is not None
    for line in job.stdout:
        show(f"{number}: {line.rstrip()}")
    if job.wait() > 0:
        _stop(others)


def _stop(jobs: Sequence[subprocess.Popen[str]]) -> None:
    for job in jobs:
        if job.poll() is None:
            job.send_signal(signal.SIGTERM)


def tell_failed(marker: Path) -> None:
    """Tells the other jobs of this request that a cell has failed, so that none of them tries it again."""
    if group():
        write_atomically(marker, group().encode())


def has_failed_beside(marker: Path) -> bool:
    """Whether a cell has failed in a job of this request; failures of earlier requests do not count."""
    try:
        return bool(group()) and marker.read_text(encoding="utf-8") == group()
    except FileNotFoundError:
        return False
