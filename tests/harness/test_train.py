"""The loop: lockstep, failure, interruption and resumption leave every cell in the bits of a quiet solo run."""

import os
import signal

import pytest
import torch

from bench.batch import Batch
from bench.config import Training
from bench.distiller import METHODS, Lesson
from bench.networks.base import build_network
from bench.train import DivergedError, Member, fit, learning_rate

TRAINING = Training(steps=4, batch_size=2, crop_size=32)
NAMES = ("scratch", "output_kd", "fitnet", "slkd")


@pytest.fixture(scope="module")
def teachers():
    built = {role: build_network("nafnet", "mini", 1, role == "removal") for role in ("removal", "reconstruction")}
    return {role: network.eval().requires_grad_(False) for role, network in built.items()}


@pytest.fixture
def make(tmp_path, teachers):
    def member(name, folder="cohort", training=TRAINING):
        torch.manual_seed(0)
        distiller = METHODS[name](build_network("nafnet", "micro", 0), teachers, METHODS[name].Config())
        distiller = distiller.to(memory_format=torch.channels_last)
        return Member(name, distiller, training, tmp_path / folder / name, config_sha256="same")

    return member


def draw(step):
    generator = torch.Generator().manual_seed(step)
    clean = torch.rand(2, 3, 32, 32, generator=generator).contiguous(memory_format=torch.channels_last)
    return Batch((clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1), clean)


@pytest.fixture
def teach(teachers):
    """Gives the lesson of a step."""
    return lambda step: Lesson(draw(step), teachers, step, total_steps=TRAINING.steps)


def assert_same_bits(first, second):
    states = first.distiller.state_dict(), second.distiller.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert first.terms == second.terms and first.history == second.history


@pytest.fixture
def solo(make, teach):
    members = [make(name, "solo") for name in NAMES]
    for member in members:
        fit([member], teach)
    return members


def test_a_cohort_ends_in_the_bits_of_solo_runs(make, teach, solo):
    cohort = [make(name) for name in NAMES]
    fit(cohort, teach)
    for one, other in zip(solo, cohort, strict=True):
        assert other.is_done
        assert_same_bits(one, other)


def test_teachers_answer_once_a_step_for_the_whole_cohort(make, teach, teachers, monkeypatch):
    calls = []
    forward = teachers["removal"].forward_features
    monkeypatch.setattr(teachers["removal"], "forward_features", lambda x: calls.append(1) or forward(x))
    fit([make(name) for name in NAMES], teach)
    assert len(calls) == TRAINING.steps


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_cohort_goes_on_in_the_same_bits(make, teach, solo, number):
    def stop(step, members):
        if step == 1:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        fit([make(name) for name in NAMES], teach, watch=stop)
    resumed = [make(name) for name in NAMES]
    assert [member.step for member in resumed] == [2] * len(NAMES)
    fit(resumed, teach)
    for one, other in zip(solo, resumed, strict=True):
        assert_same_bits(one, other)


def test_members_at_different_steps_meet(make, teach, solo):
    fit([early := make("scratch")], teach)
    assert early.is_done
    late = [make(name) for name in NAMES]
    assert [member.step for member in late] == [TRAINING.steps, 0, 0, 0]
    fit(late, teach)
    for one, other in zip(solo, late, strict=True):
        assert_same_bits(one, other)


def test_a_nan_stops_its_cell_alone_and_says_where(make, teach, solo):
    cohort = [make(name) for name in NAMES]
    sick = cohort[1]
    forward = sick.distiller.forward

    def poison(lesson):
        terms = forward(lesson)
        return terms | {"output": terms["output"] * float("nan")} if lesson.step == 2 else terms

    sick.distiller.forward = poison
    fit(cohort, teach)
    assert isinstance(sick.error, DivergedError)
    assert "output_kd" in str(sick.error) and "step 2" in str(sick.error) and "output=nan" in str(sick.error)
    assert sick.step == 2
    for one, other in zip(solo, cohort, strict=True):
        if other is not sick:
            assert_same_bits(one, other)


def test_an_exception_in_a_method_is_its_own(make, teach):
    cohort = [make("scratch"), make("slkd")]
    cohort[1].distiller.forward = lambda lesson: 1 / 0
    fit(cohort, teach)
    assert isinstance(cohort[1].error, ZeroDivisionError)
    assert cohort[0].is_done


def test_a_checkpoint_of_another_configuration_is_ignored(make, teach):
    fit([make("scratch")], teach)
    member = make("scratch")
    other = Member(member.name, member.distiller, TRAINING, member.checkpoint, config_sha256="other")
    assert other.step == 0


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_starts_again_and_says_so(make, teach, caplog, damage):
    fit([first := make("scratch")], teach)
    content = first.checkpoint.read_bytes()
    first.checkpoint.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert make("scratch").step == 0
    assert "damaged checkpoint" in caplog.text


def test_checkpoints_are_written_on_time(make, teach):
    member = make("scratch")
    seen = []
    fit([member], teach, checkpoint_seconds=0, watch=lambda step, _: seen.append(member.checkpoint.exists()))
    assert seen == [False, True, True, True]


def test_the_learning_rate_falls_from_first_to_last():
    training = Training(steps=11, learning_rate=1e-2, final_learning_rate=1e-4)
    rates = [learning_rate(training, step) for step in range(11)]
    assert rates[0] == pytest.approx(1e-2) and rates[-1] == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)
    assert learning_rate(Training(steps=1), 0) == 1e-3


def test_the_history_has_means_of_terms_and_of_what_was_measured(make, teach):
    member = make("slkd", training=Training(steps=90, batch_size=2, crop_size=32))
    for _ in range(7):
        member.learn(teach(member.step))
    steps = [row["step"] for row in member.history]
    assert steps == [3, 6], "forty rows at most: one for every three of ninety steps"
    assert set(member.history[0]) == {"step", *member.terms, "kl_unweighted", "nc_unweighted", "et_unweighted",
                                      "probes_a", "probes_b"}  # fmt: skip
    assert member.history[1]["restoration"] != member.terms["restoration"]


def test_the_last_row_of_a_history_is_that_of_the_last_step(make, teach):
    member = make("scratch", training=Training(steps=5, batch_size=2, crop_size=32))
    fit([member], teach)
    assert [row["step"] for row in member.history] == [1, 2, 3, 4, 5]
