"""Where a number came from: commit, versions, machine."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from typing import Any

PACKAGES = ("slkd-bench", "torch", "numpy", "scipy", "pillow", "piq", "ptflops")


@cache
def provenance() -> dict[str, Any]:
    """Commit and cleanliness of the checkout, package versions and hardware of this process."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "is_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "processor": _processor(),
        "num_cpus": os.cpu_count(),
    }


def _git(*arguments: str) -> str | None:
    """The output of a git command, or None outside a checkout."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
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
