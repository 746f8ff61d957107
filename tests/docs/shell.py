"""Running documented commands as they are typed, without waiting for imports; nothing here imports the benchmark."""

import multiprocessing
import os
import runpy
import shlex
import site
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # where a forked process finds this very module
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch", "torchvision", "timm", "scipy.stats", "pandas", "matplotlib.figure", "piq"])
"""Every process begins with what takes seconds to import; the benchmark it imports from the folder it runs in."""


def run(command: str, folder: Path, home: Path) -> tuple[int, str]:
    """Runs ``python -m MODULE ...``, with variables before it or without; returns exit code and what was printed."""
    printed = folder.parent / "printed.txt"
    process = FORKS.Process(target=_become, args=(shlex.split(command), folder, home, printed))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode, printed.read_text()


def _become(words: list[str], folder: Path, home: Path, printed: Path) -> None:
    """Does in a forked process what Python does when it starts."""
    with printed.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    start = words.index("python")
    os.environ |= dict(word.split("=") for word in words[:start]) | {"HOME": str(home), "COLUMNS": "200"}
    for installed in (folder / "installed").rglob("site-packages"):
        site.addsitedir(str(installed))
    sys.path[:0] = [str(folder), *(str(folder / word.partition("=")[2]) for word in words[:start])]
    sys.orig_argv = words[start:]
    sys.argv = [str(Path(word).expanduser()) if word.startswith("~") else word for word in words[start + 2 :]]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
