"""What a step of each method costs beside one of ``scratch``, and what the methods save by training together."""

import statistics

import pytest

from bench.latency import LiveTensors
from bench.step_cost import Course, Setting, interleaved, published_methods

EMBEDDED = Setting("nafnet", "mini", "micro", batch=8, crop_size=64)
FULL_SIZE = Setting("restormer", "base", "sl", batch=1, crop_size=128)
NAMES = published_methods()


@pytest.fixture(scope="module", params=[EMBEDDED, FULL_SIZE], ids=["embedded", "full_size"])
def course(request):
    return Course(request.param)


@pytest.fixture(scope="module")
def members(course):
    return {name: course.member(name) for name in NAMES}


@pytest.fixture(scope="module")
def solo_and_cohort(course, members):
    """Median seconds of a step of each method alone, and of all together."""
    steps = {name: lambda member=member: course.step([member]) for name, member in members.items()}
    rounds = 9 if course.setting == EMBEDDED else 3
    times = interleaved({**steps, "cohort": lambda: course.step(list(members.values()))}, rounds)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


@pytest.mark.benchmark(group="ratios")
def test_steps_alone(benchmark, course, solo_and_cohort, notes):
    times = benchmark.pedantic(lambda: solo_and_cohort)
    for name in NAMES:
        notes(
            f"{name} alone / scratch, {course.setting.network} {course.setting.student}", times[name] / times["scratch"]
        )


@pytest.mark.benchmark(group="ratios")
def test_steps_in_the_cohort(benchmark, course, members, notes):
    """What each member adds to a step of the cohort, whose teachers have answered already."""

    lesson = course.lesson()

    def measure():
        steps = {name: lambda member=member: member.learn(lesson) for name, member in members.items()}
        return interleaved(steps, 5 if course.setting == EMBEDDED else 1)  # behind a warm-up, which asks the teachers

    times = {name: statistics.median(seconds) for name, seconds in benchmark.pedantic(measure).items()}
    for name in NAMES:
        notes(f"{name} in the cohort / scratch, {course.setting.network}", times[name] / times["scratch"])


@pytest.mark.benchmark(group="ratios")
def test_cohort_against_solo_runs(benchmark, course, solo_and_cohort, ratios):
    times = benchmark.pedantic(lambda: solo_and_cohort)
    share = times["cohort"] / sum(times[name] for name in NAMES)
    # Only at full size do the teachers' forward passes dominate a step.
    ratios(
        f"cohort of all methods / solo runs, {course.setting.network}", share, 0.5 if course.setting == FULL_SIZE else 1
    )


@pytest.mark.benchmark(group="ratios")
def test_memory_of_the_cohort(benchmark, course, members, ratios):
    """The tensors that are alive at one time, what is there before the step left out."""

    def peak(chosen):
        with LiveTensors() as live:
            course.step(chosen)
        return live.peak

    def measure():
        for member in members.values():
            course.step([member])  # the optimisers' state is there from the first step on
        return peak(list(members.values())) / max(peak([member]) for member in members.values())

    share = benchmark.pedantic(measure)
    ratios(f"memory of a cohort's step / of the largest solo step, {course.setting.network}", share, 1.3)
