"""The option --benchmark: the benchmark suite and nothing else; without it, none of the suite."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
PLAIN = "tests/harness/test_registry.py"


@pytest.mark.parametrize(
    ("arguments", "is_run"),
    [
        (["--benchmark", PLAIN], False),
        (["tests/benchmarks", "-k", "test_scale_conversion"], False),
        (["--benchmark", "tests/benchmarks", "-k", "test_scale_conversion"], True),
    ],
)
def test_benchmarks_run_alone_or_not_at_all(arguments, is_run):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    # A worker of `pytest -n` tells so by its environment, and plugins would take the inner run for a worker.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    text = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment).stdout
    assert ("passed" in text) == is_run
    assert ("skipped" in text) != is_run
    assert "failed" not in text and "error" not in text
