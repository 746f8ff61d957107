"""A real Slurm on this machine: a controller and the daemons of two nodes with a CPU each, on loopback."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool.%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdTimeout=10
KillWait=5
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={node1} CPUs=1
NodeName=node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={node2} CPUs=1
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")


class Slurm:
    """The daemons of a cluster, whose files are all in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.configuration = root / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        key = root / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        (root / "state").mkdir()
        controller, node1, node2 = _free_ports(3)
        self.configuration.write_text(
            CONFIGURATION.format(root=root, user=getpass.getuser(), controller=controller, node1=node1, node2=node2)
        )
        files = ("key-file=munge.key", "socket=munge.socket", "pid-file=munged.pid", "seed-file=munged.seed")
        self._start("munged", "--foreground", "--force", *(f"--{f.replace('=', f'={root}/')}" for f in files))
        _wait_until((root / "munge.socket").exists)
        self._start("slurmctld", "-D", "-f", self.configuration)
        self.start_node("node1")
        self.start_node("node2")
        _wait_until(lambda: self.ask("sinfo", "--noheader", "--format=%D %T").strip() == "2 idle")

    def start_node(self, name: str) -> None:
        (self.root / f"spool.{name}").mkdir(exist_ok=True)
        self._start(name, "slurmd", "-D", "-f", self.configuration, "-N", name)

    def crash_node(self, name: str) -> None:
        """Kills a node's daemon and all that it has started, as a power cut does."""
        daemon = psutil.Process(self._daemons[name].pid)
        steps = [p for p in psutil.process_iter(["cmdline"]) if "slurmstepd" in " ".join(p.info["cmdline"] or ())]
        started = [child for step in steps if _is_of(step, name) for child in (step, *step.children(recursive=True))]
        for process in (daemon, *started):
            process.kill()
        self._daemons.pop(name).wait()

    def ask(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def stop(self) -> None:
        self.ask("scancel", "--me", "--signal=KILL", "--full")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            daemon.wait()

    def _start(self, name: str, *command: object) -> None:
        words = [str(word) for word in (command if name.startswith("node") else (name, *command))]
        log = (self.root / f"{name}.out").open("wb")
        self._daemons[name] = subprocess.Popen(words, stdout=log, stderr=log)


def _is_of(step: psutil.Process, node: str) -> bool:
    """Whether a job's keeper is of a node: it has the node's spool folder, or a job that runs there."""
    return any(node == value for child in step.children() for value in [_environment(child).get("SLURMD_NODENAME")])


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_until(is_so, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "the cluster does not come up"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} on PATH: apt-get install slurm-wlm munge; Debian has some in /usr/sbin")
    root = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(root / "slurm.conf"))
        cluster = Slurm(root)
        yield cluster
        cluster.stop()
