"""Several ranks train what one process trains: with torchrun, and on their own."""

import re
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch

from bench import judge
from bench import ranks as ranks_module
from bench.cell import Filters
from bench.data_parallel import spread
from bench.distiller import METHODS
from bench.networks.base import build_network
from bench.plan import Planner
from bench.preflight import check_shares
from bench.ranks import GIVE_UP, GivenUpError, LostRankError
from tests.killing import grid

AMPLIFYING = {"dckd": 1e-2, "ckt": 1e-3, "slkd_no_kl": 1e-3, "slkd_restorer_b": 1e-3}
"""What rounding in float32 may come to after twenty steps, relative to the weights, where it is more than 1e-5: in
float64 nothing of it is left. In ``dckd``, until the history network moves, images are contrasted with what the same
weights made of them: the difference is rounding, and the gradient has its sign. What amplifies it in the others is not
known.
"""


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A group of one rank, in this process."""
    settings = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with ranks_module.joined("cpu") as ranks:
        yield ranks


def test_a_network_that_is_spread_says_the_same_and_is_afterwards_as_before(alone):
    network = build_network("nafnet", "micro")
    image = torch.rand(2, 3, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    expected = network.forward_features(image)
    (gradient,) = torch.autograd.grad(expected.restored.sum() + network.encode(image)[-1].sum(), image)
    with spread(network, alone):
        found = network.forward_features(image)
        assert all(map(torch.equal, found.levels, expected.levels)) and torch.equal(network(image), expected.restored)
        assert found.restored.is_contiguous(memory_format=torch.channels_last)
        (again,) = torch.autograd.grad(found.restored.sum() + network.encode(image)[-1].sum(), image)
    torch.testing.assert_close(again, gradient)
    assert not {"forward", "encode", "forward_features"} & vars(network).keys()


def test_a_batch_that_cannot_be_shared_is_refused(alone):
    alone.size = 3
    network = build_network("nafnet", "micro")
    with spread(network, alone), pytest.raises(ValueError, match="4 images cannot be shared equally among 3 ranks"):
        network(torch.rand(4, 3, 16, 16))
    alone.size = 1


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_trained(make_params, workspace):
    planner = Planner(make_params(), workspace)
    plans = judge.plans(planner, planner.cohorts(Filters()))
    check_shares(plans, planner, 2)
    with pytest.raises(
        ValueError, match=r"its batches of 2 images cannot be shared equally among 3 ranks; set batch_s"
    ):
        check_shares(plans, planner, 3)


def test_the_end_of_the_first_rank_ends_the_others(alone, monkeypatch):
    lessons = alone.in_step(lambda step: step)
    assert lessons(3) == 3
    monkeypatch.setattr(alone, "tell", lambda message: None)
    with pytest.raises(KeyboardInterrupt):
        lessons(4)
    monkeypatch.setattr(alone, "tell", lambda message: GIVE_UP)
    with pytest.raises(GivenUpError):
        lessons(4)
    monkeypatch.setattr(alone, "tell", lambda message: ([], False))
    with pytest.raises(LostRankError, match="rank 0 could not go on"):
        lessons(4)
    monkeypatch.undo()


def test_more_ranks_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="each rank needs a GPU of its own; this machine has 1"):
        ranks_module.Ranks("cuda")


def test_what_gloo_says_is_explained(alone, monkeypatch):
    def closed(*arguments, **named):
        raise RuntimeError("Connection closed by peer [127.0.0.1]:4711\nand more")

    monkeypatch.setattr(ranks_module.dist, "all_reduce", closed)
    with pytest.raises(
        LostRankError, match=r"a rank has died or does not answer \(Connection closed by peer.*same command"
    ):
        alone.add_up([torch.zeros(2)])
    monkeypatch.undo()


def test_ranks_of_one_machine_need_an_executor_of_their_own(monkeypatch):
    from typer.testing import CliRunner

    from bench.__main__ import app

    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(app, ["run", "--all", "--profile", "smoke", "-j", "2"])
    assert "leave out -j and --executor slurm" in str(done.exception)


def options(real_set, methods, steps):
    """A grid whose batches two ranks can share."""
    words = [word.replace("batch_size: 2", "batch_size: 4") for word in grid(real_set, methods, steps)]
    return [word.replace("checkpoint_seconds=0.01", "checkpoint_seconds=0.5") for word in words]


def command(words, results, num_ranks, module="bench.run"):
    torchrun = ("torch.distributed.run", f"--nproc-per-node={num_ranks}", "-m") if num_ranks > 1 else ()
    return [sys.executable, "-m", *torchrun, module, *words, "--results", str(results)]


def run(*arguments, **named):
    done = subprocess.run(command(*arguments, **named), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def weights(results, method):
    path = results / "runs" / "denoising" / "nafnet" / "seed0" / method / "checkpoint.pt"
    state = torch.load(path, weights_only=True)["distiller"]
    return torch.cat([state[name].double().flatten() for name in sorted(state) if name.startswith("student.")])


def difference(results, others, method):
    ours, theirs = weights(results, method), weights(others, method)
    return ((ours - theirs).norm() / ours.norm()).item()


def teachers_of(results, others):
    """Copies trained teachers, so that students differ in nothing else."""
    from shutil import copytree

    for folder in ("runs", "cells"):
        part = f"{folder}/denoising/nafnet/teachers"
        copytree(results / part, others / part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "bound", "exceptions"), [("bench.run", 1e-5, AMPLIFYING), ("tests.in_float64", 1e-12, {})]
)
def test_two_ranks_train_what_one_process_trains(real_set, tmp_path, module, bound, exceptions):
    words = options(real_set, tuple(METHODS), steps=20)
    run(words, tmp_path / "one", 1, module=module)
    teachers_of(tmp_path / "one", tmp_path / "two")
    told = run(words, tmp_path / "two", 2, module=module)
    assert len(re.findall(r"seed0: \d+ steps", told)) == 1, "the first rank alone reports"
    far = {method: difference(tmp_path / "one", tmp_path / "two", method) for method in METHODS}
    assert not {method: found for method, found in far.items() if found > exceptions.get(method, bound)}


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_what_some_ranks_began_any_number_ends(real_set, tmp_path, before, after):
    words = options(real_set, ("fitnet",), steps=300)
    run(words, tmp_path / "whole", 1)
    teachers_of(tmp_path / "whole", tmp_path / "parts")
    process = subprocess.Popen(command(words, tmp_path / "parts", before), text=True, stdout=subprocess.PIPE)
    until_trained(tmp_path / "parts")
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert told.count("stopped: what is finished is kept") == 1, told
    begun = torch.load(checkpoint(tmp_path / "parts"), weights_only=True)["step"]
    assert 0 < begun < 300
    run(words, tmp_path / "parts", after)
    assert difference(tmp_path / "whole", tmp_path / "parts", "fitnet") < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_ends_the_others_and_costs_no_more_than_a_checkpoint(real_set, tmp_path, rank):
    words = options(real_set, ("scratch",), steps=400)
    process = subprocess.Popen(command(words, tmp_path, 2), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until_trained(tmp_path)
    (killed,) = (child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == str(rank))
    killed.kill()
    told, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert rank == 0 or "a rank has died or does not answer" in told, told
    step = torch.load(checkpoint(tmp_path, "scratch"), weights_only=True)["step"]
    assert step > 0
    run(words, tmp_path, 2)
    assert torch.load(checkpoint(tmp_path, "scratch"), weights_only=True)["step"] == 400


@pytest.mark.slow
def test_a_rank_that_does_not_answer_is_named_and_costs_no_more_than_a_checkpoint(real_set, tmp_path):
    words = options(real_set, ("scratch",), steps=400)
    start = command(words, tmp_path, 2, module="tests.impatient")
    process = subprocess.Popen(start, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until_trained(tmp_path)
    ranks = {child.environ().get("RANK"): child for child in psutil.Process(process.pid).children()}
    ranks["1"].suspend()
    ranks["0"].wait(timeout=60)
    ranks["1"].kill()
    told, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "a rank has died or does not answer (" in told and "the same command goes on from there" in told, told
    assert 0 < torch.load(checkpoint(tmp_path, "scratch"), weights_only=True)["step"] < 400
    run(words, tmp_path, 2)
    assert torch.load(checkpoint(tmp_path, "scratch"), weights_only=True)["step"] == 400


DEAF = """
import time
from datetime import timedelta

from bench import ranks

ranks.PATIENCE = timedelta(seconds=2)
with ranks.joined("cpu") as group:
    group.meet()
    if group.rank:
        time.sleep(100)
    group.tell("go on")
"""


@pytest.mark.slow
def test_a_rank_that_does_not_listen_is_not_waited_for_longer_than_one_that_does_not_answer(tmp_path):
    (tmp_path / "deaf.py").write_text(DEAF)
    started = time.monotonic()
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", str(tmp_path / "deaf.py")]
    done = subprocess.run(start, text=True, capture_output=True, check=False)
    assert done.returncode != 0 and "a rank has died or does not answer (" in done.stderr, done.stderr
    assert time.monotonic() - started < 60


@pytest.mark.slow
def test_a_disk_that_is_full_is_named_and_loses_nothing(real_set, tmp_path):
    words = options(real_set, ("fitnet",), steps=60)
    run(words, tmp_path / "whole", 2)
    teachers_of(tmp_path / "whole", tmp_path / "full")
    known = set((tmp_path / "full").rglob("*.*"))
    limit = f"ulimit -f 200; exec {shlex.join(command(words, tmp_path / 'full', 2))}"  # no file of over 200 blocks
    done = subprocess.run(["bash", "-c", limit], text=True, capture_output=True, check=False)
    told = done.stdout + done.stderr
    assert done.returncode != 0 and "fitnet: [Errno 27] File too large" in told and "stopped" not in told, told
    assert known <= set((tmp_path / "full").rglob("*.*")) and not checkpoint(tmp_path / "full").exists()
    run(words, tmp_path / "full", 2)
    assert difference(tmp_path / "whole", tmp_path / "full", "fitnet") < 1e-6


def checkpoint(results, method="fitnet"):
    return results / "runs" / "denoising" / "nafnet" / "seed0" / method / "checkpoint.pt"


def until_trained(results):
    """Waits for a student's first checkpoint."""
    end = time.monotonic() + 120
    while not list((results / "runs").rglob("seed0/*/checkpoint.pt")):
        assert time.monotonic() < end
        time.sleep(0.05)
