"""Following the jobs of a cluster until they have ended."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.slurm import Running, queue

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""Time between two looks at the cluster, which asks not to be asked more often."""


def watch(jobs: Mapping[str, str], log_file: Callable[[str], Path], show: Callable[[str], None]) -> None:
    """Shows what becomes of jobs until the cluster has none of them any more: their states, and how far they are.

    Args:
        jobs: The cohorts by the id of their job.
        log_file: Where the log of a cohort is kept.
        show: Is given a line for whatever changes.
    """
    shown: dict[str, str] = {}
    left = dict(jobs)
    while left:
        try:
            running = queue()
        except OSError as error:  # such as a controller that is started anew; the jobs run without it
            log.warning("%s; asking again", error)
            time.sleep(POLL_SECONDS)
            continue
        for job, cohort in left.items():
            line = _line(running.get(job), log_file(cohort))
            if shown.get(job) != line:
                shown[job] = line
                show(f"{cohort}, job {job}: {line}")
        left = {job: cohort for job, cohort in left.items() if job in running}
        if left:
            time.sleep(POLL_SECONDS)


def _line(job: Running | None, path: Path) -> str:
    if job is None:
        return "has ended"
    if job.state != "RUNNING":
        return f"{job.state.lower()} {job.where}"
    steps = [line for line in _tail(path) if ": step " in line]
    step = steps[-1].partition(": ")[2].partition("; ")[0] if steps else ""
    return ", ".join(filter(None, [f"runs on {job.where}", step]))


def _tail(path: Path, size: int = 10_000) -> list[str]:
    """The last lines of a log, which may not be there yet; a job of several teachers has one for each in a folder."""
    logs = [path] if path.exists() else sorted(path.with_suffix("").glob("*.log"), key=lambda log: log.stat().st_mtime)
    if not logs:
        return []
    with logs[-1].open("rb") as file:
        file.seek(max(logs[-1].stat().st_size - size, 0))
        return file.read().decode(errors="replace").splitlines()
