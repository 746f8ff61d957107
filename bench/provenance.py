"""Where a number came from: commit, versions, machine."""

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from typing import Any

import psutil

PACKAGES = ("slkd-bench", "torch", "numpy", "scipy", "pillow", "piq", "ptflops")


SOURCES = ("*.py", "*.yaml", "pyproject.toml")
"""What decides a result: a checkout is dirty if any of these differs from its commit."""


@cache
def provenance() -> dict[str, Any]:
    """Commit and cleanliness of the checkout, command line, package versions and hardware of this process."""
    dirt = _git("status", "--porcelain", "--untracked-files=all", "--", *SOURCES)
    diff = f"{dirt}\n{_git('diff', 'HEAD', '--', *SOURCES)}" if dirt else ""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "is_dirty": bool(dirt),
        "diff_sha256": hashlib.sha256(diff.encode()).hexdigest() if diff else "",
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "processor": _processor(),
        "num_cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
    }


def _git(*arguments: str) -> str | None:
    """The output of a git command, or None outside a checkout. It takes no lock, which a killed run would leave."""
    try:
        done = subprocess.run(["git", "--no-optional-locks", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a device file
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
