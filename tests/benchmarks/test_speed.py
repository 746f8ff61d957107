"""How long things take: `pytest --benchmark`. Nothing asserts a time; ratios are printed beside their targets."""

import statistics
import time

import pytest
import torch

from bench.batch import Batch
from bench.cell import Workspace
from bench.config import Training
from bench.datasets.base import draw_batch
from bench.distiller import METHODS
from bench.metrics.protocol import PROTOCOLS
from bench.networks.base import NETWORKS, build_network
from bench.tasks.base import TASKS
from bench.train import Member, fit

BATCH_SIZE, CROP_SIZE = 8, 64


@pytest.fixture(scope="module")
def teachers():
    built = {role: build_network("nafnet", "mini", 1, role == "removal") for role in ("removal", "reconstruction")}
    return {role: network.eval().requires_grad_(False) for role, network in built.items()}


@pytest.fixture(scope="module")
def batch():
    clean = torch.rand(BATCH_SIZE, 3, CROP_SIZE, CROP_SIZE).contiguous(memory_format=torch.channels_last)
    return Batch((clean + 0.1 * torch.randn_like(clean)).clamp(0, 1), clean)


@pytest.fixture
def start(tmp_path, teachers):
    """Makes a cohort that can be stepped on: a function of the number of steps."""

    def make(methods, draw):
        members = []
        for name in methods:
            distiller = METHODS[name](build_network("nafnet", "micro", 0), teachers, METHODS[name].Config())
            distiller = distiller.to(memory_format=torch.channels_last)
            members.append(Member(name, distiller, Training(steps=10**6), tmp_path / name, ""))

        def steps(count):
            for member in members:
                member.training = Training(steps=member.step + count)
                member.save = lambda: None  # what is timed is a step in the middle of a run
            fit(members, teachers, draw)

        return steps

    return make


def interleaved(functions, rounds=9):
    """Median seconds of several functions whose calls alternate, so that a drifting machine slows all alike."""
    times = {name: [] for name in functions}
    for round_ in range(rounds + 2):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            if round_ >= 2:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.mark.benchmark(group="step, alone")
@pytest.mark.parametrize("method", METHODS)
def test_step(benchmark, start, batch, method):
    benchmark.pedantic(start([method], lambda step: batch), args=(1,), rounds=15, warmup_rounds=3)


@pytest.mark.benchmark(group="step, cohort")
def test_cohort_step(benchmark, start, batch):
    benchmark.pedantic(start(list(METHODS), lambda step: batch), args=(1,), rounds=15, warmup_rounds=3)


@pytest.mark.benchmark(group="network, forward and backward")
@pytest.mark.parametrize("size", ["mini", "micro"])
@pytest.mark.parametrize("name", NETWORKS)
def test_network(benchmark, batch, name, size):
    network = build_network(name, size)
    benchmark.pedantic(lambda: network(batch.degraded).sum().backward(), rounds=9, warmup_rounds=2)


@pytest.mark.benchmark(group="data path, a batch of 8 crops")
@pytest.mark.parametrize("task", TASKS)
def test_data_path(benchmark, task):
    source = TASKS[task].training_source(None, Workspace.of("default").data)
    steps = iter(range(10**6))
    benchmark.pedantic(lambda: draw_batch(source, 0, next(steps), BATCH_SIZE, CROP_SIZE), rounds=50, warmup_rounds=20)
    benchmark.extra_info["images_per_s"] = BATCH_SIZE / benchmark.stats["median"]


@pytest.mark.benchmark(group="metrics, an image of 256x256")
@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocol(benchmark, name):
    restored, clean = torch.randint(0, 256, (2, 1, 3, 256, 256), dtype=torch.uint8)
    benchmark.pedantic(lambda: PROTOCOLS[name].score(restored, clean), rounds=9, warmup_rounds=2)


@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize("methods", [["scratch"], list(METHODS)], ids=["alone", "cohort"])
def test_harness_share_of_a_step(benchmark, start, teachers, ratios, methods):
    source = TASKS["deraining"].training_source(None, Workspace.of("default").data)
    batches = iter(range(10**6))

    def draw(step):
        return draw_batch(source, 0, next(batches), BATCH_SIZE, CROP_SIZE)

    fixed = draw(0)
    harness = start(methods, draw)
    distillers = [METHODS[m](build_network("nafnet", "micro", 0), teachers, METHODS[m].Config()) for m in methods]
    optimizers = [torch.optim.Adam(d.parameters(), 1e-3, fused=True) for d in distillers]

    def bare():
        from bench.distiller import Lesson

        for _ in range(3):
            lesson = Lesson(fixed, teachers, 0, 1)
            for distiller, optimizer in zip(distillers, optimizers, strict=True):
                optimizer.zero_grad()
                torch.stack(list(distiller(lesson).values())).sum().backward()
                optimizer.step()

    def measure():
        times = interleaved({"harness": lambda: harness(3), "bare": bare})
        return 1 - times["bare"] / times["harness"]

    ratios(f"harness / step, {'cohort' if len(methods) > 1 else 'scratch alone'}", benchmark.pedantic(measure), 0.05)


@pytest.mark.benchmark(group="ratios")
def test_cohort_against_solo_steps(benchmark, start, teachers, batch, ratios):
    methods = ["scratch", "output_kd", "fitnet", "slkd"]
    solo = {name: start([name], lambda step: batch) for name in methods}
    cohort = start(methods, lambda step: batch)

    def teach():
        with torch.no_grad():
            teachers["removal"].forward_features(batch.degraded)

    def measure():
        times = interleaved(
            {"cohort": lambda: cohort(1), "teach": teach} | {n: lambda s=s: s(1) for n, s in solo.items()}
        )
        return times["cohort"] / (sum(times[name] for name in methods) - 2 * times["teach"])

    ratios("cohort / (solo steps - repeated teacher forwards)", benchmark.pedantic(measure), 1.05)


@pytest.mark.benchmark(group="ratios")
def test_extra_work_of_slkd(benchmark, start, teachers, batch, ratios):
    slkd, scratch = start(["slkd"], lambda step: batch), start(["scratch"], lambda step: batch)

    def teach():
        with torch.no_grad():
            teachers["removal"].forward_features(batch.degraded)
            teachers["reconstruction"].forward_features(batch.clean)

    def measure():
        times = interleaved({"slkd": lambda: slkd(1), "scratch": lambda: scratch(1), "teach": teach})
        return 1 - (times["scratch"] + times["teach"]) / times["slkd"]

    ratios("SLKD's extractors and scale conversion / its step", benchmark.pedantic(measure), 0.5)
