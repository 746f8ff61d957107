"""How long things take: `pytest --benchmark`. Nothing asserts a time; ratios are printed beside their targets."""

import io
import itertools
import statistics

import pytest
import torch
from rich.console import Console

from bench import step_cost
from bench.batch import Batch
from bench.config import Params, Training
from bench.datasets.base import Shelf, draw_batch
from bench.distiller import METHODS, Distiller, Lesson
from bench.metrics.metric import METRICS
from bench.networks.base import NETWORKS, build_network
from bench.progress import StepProgress
from bench.sources import TaskData
from bench.train import Member, fit
from slkd import brisque, piqe
from slkd.scale import ScaleConversion

BATCH_SIZE, CROP_SIZE = 8, 64
COHORT = ["scratch", "output_kd", "fitnet", "slkd"]
EMBEDDED = ("deraining", "deblurring", "denoising", "dehazing")


@pytest.fixture(scope="module")
def teachers():
    built = {role: build_network("nafnet", "mini", 1, role == "removal") for role in ("removal", "reconstruction")}
    built = {role: network.eval().requires_grad_(False) for role, network in built.items()}
    return built | {"perceptual": built["removal"]}


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
            fit(members, lambda step: Lesson(draw(step), teachers, step, total_steps=10**6))

        return steps

    return make


def interleaved(functions, rounds=9, warmups=2):
    """Median seconds of several functions whose calls alternate."""
    times = step_cost.interleaved(functions, rounds, warmups)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


@pytest.mark.benchmark(group="network, forward and backward")
@pytest.mark.parametrize("size", ["mini", "micro"])
@pytest.mark.parametrize("name", NETWORKS)
def test_network(benchmark, batch, name, size):
    network = build_network(name, size)
    benchmark.pedantic(lambda: network(batch.degraded).sum().backward(), rounds=9, warmup_rounds=2)


@pytest.mark.benchmark(group="data path, a batch of 8 crops")
@pytest.mark.parametrize("task", EMBEDDED)
def test_data_path(benchmark, task):
    grid = Params(tasks=(task,), networks=("nafnet",), methods=("scratch",), seeds=(0,))
    source = TaskData(task, grid, Shelf()).training
    steps = iter(range(10**6))
    benchmark.pedantic(lambda: draw_batch(source, 0, next(steps), BATCH_SIZE, CROP_SIZE), rounds=50, warmup_rounds=20)
    benchmark.extra_info["images_per_s"] = BATCH_SIZE / benchmark.stats["median"]


@pytest.mark.benchmark(group="extractors, forward and backward of 3 levels of 8 crops")
@pytest.mark.parametrize("extractor", [brisque, piqe], ids=["brisque", "piqe"])
def test_extractor(benchmark, extractor):
    student, teacher = torch.rand(2, 3 * BATCH_SIZE, 3, CROP_SIZE, CROP_SIZE)
    student.requires_grad_()
    benchmark.pedantic(lambda: extractor.distance(student, teacher).backward(), rounds=9, warmup_rounds=2)


@pytest.mark.benchmark(group="scale conversion, forward and backward of 4 levels of 8 crops")
def test_scale_conversion(benchmark):
    channels = build_network("nafnet", "mini").encoder_channels
    scm = ScaleConversion(channels).to(memory_format=torch.channels_last)
    features = tuple(torch.rand(BATCH_SIZE, n, CROP_SIZE >> i, CROP_SIZE >> i) for i, n in enumerate(channels))
    benchmark.pedantic(lambda: scm(features).sum().backward(), rounds=9, warmup_rounds=2)


@pytest.mark.benchmark(group="metrics, an image of 256x256")
@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.parameters is None])
def test_metric(benchmark, name):
    restored, clean = torch.randint(0, 256, (2, 1, 3, 256, 256), dtype=torch.uint8)
    benchmark.pedantic(lambda: METRICS[name](restored, clean), rounds=9, warmup_rounds=2)


class Nothing(Distiller):
    """Costs nothing, so that what a step of it takes is the harness: data, bookkeeping, logging."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, lesson):
        return {"restoration": self.weight.square()}


@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize("task", EMBEDDED)
@pytest.mark.parametrize("methods", [["scratch"], COHORT], ids=["alone", "cohort"])
def test_harness_share_of_a_step(benchmark, start, batch, ratios, tmp_path, methods, task):
    grid = Params(tasks=(task,), networks=("nafnet",), methods=("scratch",), seeds=(0,))
    source = TaskData(task, grid, Shelf()).training
    training = Training(steps=4)
    screen = StepProgress(1, training.steps, Console(file=io.StringIO()))
    steps = itertools.count()

    def harness():
        members = [Member(name, Nothing(), training, tmp_path / name, "") for name in methods]
        for member in members:
            member.save = lambda: None
        screen.start(task, training.steps)

        def teach(step):
            return Lesson(draw_batch(source, 0, next(steps), BATCH_SIZE, CROP_SIZE), {}, step)

        fit(members, teach, watch=screen.step)

    learn = start(methods, lambda step: batch)

    def measure():
        times = interleaved({"harness": harness, "learn": lambda: learn(training.steps)}, rounds=7)
        return times["harness"] / (times["harness"] + times["learn"])

    label = "the cohort" if len(methods) > 1 else "scratch alone"
    ratios(f"harness / step of {label}, {task}", benchmark.pedantic(measure), 0.05)


@pytest.mark.benchmark(group="ratios")
def test_cohort_against_solo_steps(benchmark, start, teachers, batch, ratios):
    solo = {name: start([name], lambda step: batch) for name in COHORT}
    cohort = start(COHORT, lambda step: batch)

    def teach():
        with torch.no_grad():
            teachers["removal"].forward_features(batch.degraded)

    def measure():
        times = interleaved(
            {"cohort": lambda: cohort(1), "teach": teach} | {n: lambda s=s: s(1) for n, s in solo.items()}
        )
        return times["cohort"] / (sum(times[name] for name in COHORT) - 2 * times["teach"])

    ratios("cohort / (solo steps - repeated teacher forwards)", benchmark.pedantic(measure), 1.05)
