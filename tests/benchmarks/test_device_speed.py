"""What a device, its precision and compiled networks save of a step, beside the plain eager way in float32."""

import statistics
from contextlib import ExitStack

import pytest
import torch

from bench.device import Device
from bench.distiller import METHODS
from bench.step_cost import Course, Setting, interleaved, published_methods
from bench.train import Member
from tests.benchmarks.plain import plain

FULL_SIZE = Setting("restormer", "base", "sl", batch=8, crop_size=128)
EMBEDDED = Setting("nafnet", "mini", "micro", batch=8, crop_size=64)
NAMES = published_methods()
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")


class PlainCourse(Course):
    """Steps as public releases take them: plain networks, images channel by channel in memory."""

    def __init__(self, setting, device):
        super().__init__(setting, device)
        self.networks = {role: plain(network) for role, network in self.networks.items()}
        self.batch = type(self.batch)(*(image.contiguous() for image in self.batch))

    def member(self, name):
        member = super().member(name)
        method = METHODS[name]
        teachers = {role: self.networks[role] for role in method.teacher_roles}
        distiller = self._device.place(method(plain(member.distiller.student), teachers, member.distiller.config))
        return Member(name, distiller, member.training, member.checkpoint, "")


def medians(courses, rounds):
    """Median seconds of a step of some members, by course; plain ones are neither in another precision nor compiled."""
    steps = {}
    with ExitStack() as lent:
        for key, (course, members) in courses.items():
            device = course._device
            if not isinstance(course, PlainCourse):
                distillers = [member.distiller for member in members]
                networks = [*course.networks.values(), *(distiller.student for distiller in distillers)]
                lent.enter_context(device.training(distillers, networks))

            def step(course=course, members=members, device=device):
                course.step(members)
                device.wait()

            steps[key] = step
        times = interleaved(steps, rounds, warmups=2)
    return {key: statistics.median(seconds) for key, seconds in times.items()}


def share_of_plain(setting, device, rounds):
    courses = {"ours": Course(setting, device), "plain": PlainCourse(setting, device)}
    taken = medians({key: (course, [course.member("slkd")]) for key, course in courses.items()}, rounds)
    return taken["ours"] / taken["plain"]


def share_of_solo(setting, device, rounds):
    course = Course(setting, device)
    members = {name: course.member(name) for name in NAMES}
    taken = {name: medians({name: (course, [member])}, rounds)[name] for name, member in members.items()}
    together = medians({"cohort": (course, list(members.values()))}, rounds)["cohort"]
    return together / sum(taken.values())


@needs_gpu
@pytest.mark.benchmark(group="ratios")
@pytest.mark.parametrize("is_compiling", [False, True], ids=["eager", "compiled"])
def test_a_step_on_a_gpu_beside_the_plain_one_in_float32(benchmark, ratios, is_compiling):
    device = Device("cuda", "bf16", is_compiling)
    share = benchmark.pedantic(share_of_plain, (FULL_SIZE, device, 10))
    ratios(f"slkd on {device.about}, bf16{', compiled' * is_compiling} / plain float32", share, 0.5)


@needs_gpu
@pytest.mark.benchmark(group="ratios")
def test_a_cohort_on_a_gpu_beside_solo_runs(benchmark, ratios):
    device = Device("cuda", "bf16")
    share = benchmark.pedantic(share_of_solo, (FULL_SIZE, device, 3))
    ratios(f"cohort of all methods / solo runs on {device.about}", share, 0.5)


@pytest.mark.benchmark(group="ratios")
def test_compiled_networks_on_the_cpu(benchmark, notes):
    def measure():
        courses = {way: Course(EMBEDDED, Device("cpu", "float32", way == "compiled")) for way in ("compiled", "eager")}
        taken = medians({way: (course, [course.member("slkd")]) for way, course in courses.items()}, 15)
        return taken["compiled"] / taken["eager"]

    notes("slkd with compiled networks / eager, nafnet micro on the CPU", benchmark.pedantic(measure))


@pytest.mark.benchmark(group="ratios")
def test_the_embedded_step_beside_the_plain_one(benchmark, ratios):
    share = benchmark.pedantic(share_of_plain, (EMBEDDED, Device("cpu", "float32"), 15))
    ratios("slkd / plain, nafnet mini -> micro on the CPU", share, 1.0)
