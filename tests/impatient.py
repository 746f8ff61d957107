"""Runs the benchmark with ranks that wait for one another for seconds; takes what ``python -m bench.run`` takes."""

import runpy
from datetime import timedelta

from bench import ranks

ranks.PATIENCE = timedelta(seconds=5)
runpy.run_module("bench.run", run_name="__main__")
