"""Cohorts as jobs of a Slurm cluster, through submitit: each on a node, and going on after a stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from bench.agreement import EXPECTED, write_expected
from bench.atomic import write_atomically
from bench.cell import Cell, Cohort, Workspace
from bench.jobs import FOLLOW, GROUP
from bench.judge import Plan

STOPPED = (130, -signal.SIGTERM, -signal.SIGINT)
"""Exit codes of a run that a signal has stopped, the latter two before or after all its work."""
LARGEST_ARRAY = 1000
"""Jobs of an array: a cluster's usual limit is one more."""
TIME_LIMITS = 100
"""How often a job goes on after its time limit, before something must be wrong with it."""

DEFAULTS = {"job_name": "slkd", "time": 120, "signal_delay_s": 90, "wckey": None}
"""Resources of a job: minutes, the seconds before them at which it stops, and no key for its accounting."""
EARLY = 60
"""How many seconds before that Slurm may send its signal."""


class Running(NamedTuple):
    """A job that the cluster still has.

    Attributes:
        state: In Slurm's words, such as ``PENDING``.
        where: The node; while it waits, the reason.
    """

    state: str
    where: str


class CohortJob:
    """What a job does on its node: a run in a process of its own, which a signal ends with checkpoints.

    Args:
        arguments: Of ``python -m``.
        environment: What its environment has beside that of the job.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._arguments, self._environment = list(arguments), dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Runs to the end.

        Raises:
            RuntimeError: Some cells failed; the output tells which.
        """
        environment = os.environ | self._environment | {FOLLOW: str(os.getpid())}
        command = [sys.executable, "-m", *self._arguments]
        self._process = subprocess.Popen(command, env=environment, preexec_fn=_ignore_warning)
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)  # Popen.wait holds a lock `checkpoint` needs
        code = self._process.wait()
        while code in STOPPED:  # cancelled or preempted: Slurm ends this job, or starts it again
            time.sleep(1)
        if code:
            raise RuntimeError(f"exit code {code} of python -m {' '.join(self._arguments)}")

    def checkpoint(self) -> Any:
        """Called by submitit before a time limit: stops the run; the job that is requeued goes on from there."""
        from submitit.helpers import DelayedSubmission

        assert self._process is not None
        self._process.terminate()
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(CohortJob(self._arguments, self._environment))


def _ignore_warning() -> None:
    """Slurm sends the signal that announces a time limit to every process; only the job itself is to hear it."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


class Cluster:
    """The Slurm cluster that this machine submits to, and the jobs of a grid in it.

    Args:
        workspace: Of the grid, on a file system that the nodes share.
        options: What a run of the grid is given beside the workspace's options and the choice of a cohort.
        resources: Of a job, by submitit's names, such as ``partition``, ``time`` in minutes, ``gpus_per_node``.

    Attributes:
        output: Where what the jobs print is kept, outside of the logs of their cohorts.

    Raises:
        ValueError: Slurm or submitit is not here, or there is no resource of that name.
    """

    def __init__(self, workspace: Workspace, options: Sequence[str], resources: Mapping[str, Any]) -> None:
        if shutil.which("sbatch") is None:
            raise ValueError("--executor slurm: found no `sbatch`; run this where jobs are submitted, or here with -j")
        try:
            import submitit
        except ModuleNotFoundError as error:
            raise ValueError("--executor slurm needs submitit: python -m pip install -e '.[slurm]'") from error
        self._options, self._workspace = tuple(options), workspace
        self._folder = workspace.runs / "slurm"
        self._register = self._folder / "jobs.json"
        self._group = uuid.uuid4().hex
        self.output = self._folder / "jobs"
        self._executor = submitit.SlurmExecutor(self.output, max_num_timeout=TIME_LIMITS)
        asked: dict[str, Any] = DEFAULTS | dict(resources)
        before = asked["signal_delay_s"] + EARLY
        if 60 * asked["time"] < before + 60:
            raise ValueError(
                f"--slurm time={asked['time']}: Slurm may stop a job {before} s before its limit, with next to nothing "
                "done: give it some more minutes, or a shorter signal_delay_s, in which it writes its checkpoints"
            )
        self._executor.update_parameters(**asked)

    def jobs(self) -> dict[str, str]:
        """The cohorts of this grid that the cluster still has, by the id of their job.

        Raises:
            OSError: Slurm does not answer.
        """
        if not self._register.exists():
            return {}
        known: dict[str, str] = json.loads(self._register.read_text(encoding="utf-8"))
        running = queue()
        return {job: name for job, name in known.items() if job in running}

    def submit(self, plans: Iterable[Plan]) -> dict[str, str]:
        """Submits what is to be done and is not in the cluster yet: a job a cohort, students behind their teachers.

        Args:
            plans: Of the grid's cells. The teachers of a task and network are one job.

        Returns:
            The cohorts that are in the cluster now, by the id of their job.

        Raises:
            ValueError: Slurm refuses a job; those that it has accepted stay.
            OSError: Slurm does not answer.
        """
        jobs, cohorts = self.jobs(), _cohorts(plans)
        behind: dict[str, dict[str, list[Plan]]] = {}
        for name, cohort in cohorts.items():
            if name not in jobs.values():
                waits_for = "" if cohort[0].cell.role != "student" else _name_of_teachers(cohort[0].cell)
                behind.setdefault(waits_for, {})[name] = cohort
        for waits_for, some in sorted(behind.items()):  # those that wait for nobody come first
            before = [job for job, name in jobs.items() if name == waits_for]
            names = list(some)
            for start in range(0, len(names), LARGEST_ARRAY):
                array = {name: some[name] for name in names[start : start + LARGEST_ARRAY]}
                jobs |= self._submit(array, ":".join(["afterany", *before]) if before else None)
                write_atomically(self._register, json.dumps(jobs, indent=1).encode())
        return jobs

    def logs(self, cell: Cell, jobs: Mapping[str, str]) -> str:
        """Where to read about a cell: what its cohort logged, and what its job printed."""
        printed = [str(self.output / f"{job}_0_log.err") for job, name in jobs.items() if name == _name(cell)]
        return ", ".join([str(self._workspace.log(Cohort((cell,)).name)), *printed])

    def _submit(self, cohorts: Mapping[str, Sequence[Plan]], dependency: str | None) -> dict[str, str]:
        """Submits an array of jobs, which begin when the same jobs have ended."""
        self._executor.update_parameters(dependency=dependency)
        with _refusals(), self._executor.batch():
            jobs = [self._executor.submit(self._job(name, cohort)) for name, cohort in cohorts.items()]
        return {job.job_id: name for job, name in zip(jobs, cohorts, strict=True)}

    def _job(self, name: str, plans: Sequence[Plan]) -> CohortJob:
        expected = self._folder / "expected" / f"{name}.json"
        write_expected(plans, expected)
        cell = plans[0].cell
        arguments = [*self._workspace.options, "--task", cell.task, "--network", cell.network]
        if cell.role == "student":
            arguments = ["bench.run", *arguments, "--seed", str(cell.seed), *self._options]
        else:
            arguments = ["bench", "teach", *arguments]
        return CohortJob(arguments, {GROUP: self._group, EXPECTED: str(expected)})


def queue() -> dict[str, Running]:
    """The jobs of this user that the cluster has, by id.

    Raises:
        OSError: Slurm does not answer.
    """
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i|%T|%R"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"Slurm does not answer: {done.stderr.strip()}")
    jobs = (line.strip().split("|") for line in done.stdout.splitlines())
    return {job: Running(state, where) for job, state, where in jobs}


def _cohorts(plans: Iterable[Plan]) -> dict[str, list[Plan]]:
    """What is to be done, by the name of its job."""
    cohorts: dict[str, list[Plan]] = {}
    for plan in plans:
        if plan.status != "up to date":
            cohorts.setdefault(_name(plan.cell), []).append(plan)
    return cohorts


def _name(cell: Cell) -> str:
    return Cohort((cell,)).name if cell.role == "student" else _name_of_teachers(cell)


def _name_of_teachers(cell: Cell) -> str:
    return f"{cell.task}/{cell.network}/teachers"


@contextmanager
def _refusals() -> Iterator[None]:
    """Says what Slurm says where it takes no job."""
    from submitit.core.utils import FailedJobError

    try:
        yield
    except FailedJobError as error:
        kept = "the jobs that it took go on, and are not submitted again"
        raise ValueError(f"Slurm refuses, change --slurm: {str(error).strip()}; {kept}") from error
