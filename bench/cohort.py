"""Running a cohort: train what is not up to date, score it, write the records."""

import logging
import resource
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from bench.agreement import check_same
from bench.cell import Cell, Cohort
from bench.config import digest
from bench.data_parallel import PartLesson, RankedMember, own_draws
from bench.datasets.loader import prefetched
from bench.distiller import METHODS, Distiller, Lesson, Role
from bench.evaluate import Scores, score
from bench.ingredients import new_distiller, training_batch
from bench.judge import Plan
from bench.networks.base import RestorationNetwork, weights_digest
from bench.plan import Planner
from bench.progress import StepProgress
from bench.provenance import provenance
from bench.ranks import GIVE_UP, GivenUpError, LostRankError, Ranks
from bench.record import CellRecord, RunInfo, write_record
from bench.train import Member, fit
from bench.values import write_history, write_per_image

log = logging.getLogger(__name__)

Load = Callable[[Cell], RestorationNetwork]


def run_cohort(
    plans: Sequence[Plan],
    planner: Planner,
    progress: StepProgress,
    is_fail_fast: bool = False,
    ranks: Ranks | None = None,
) -> dict[Cell, Exception]:
    """Trains and scores the cells of a cohort that are not up to date.

    Args:
        plans: The plans of the cohort's cells.
        planner: Of the grid they belong to; the teachers they ask must be trained.
        progress: Is told about every step.
        is_fail_fast: Whether a failure of one stops the others, which then have a checkpoint and no record.
        ranks: The processes that train together, of which this is the first; the others call `follow`.

    Returns:
        The cells that failed, with the reason; they have no record.
    """
    started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    for plan in plans:
        if plan.status == "unsupported":
            _write_skipped(plan, planner, _run_info(plan, planner, started))
    plans = [plan for plan in plans if plan.status in ("run", "resume")]
    if not plans:
        return {}
    first = plans[0].cell
    imported = planner.imported(first)
    if imported:
        origin = {"weights_file": imported.file, "weights_source": imported.source}
        run = _run_info(plans[0], planner, started, **origin)
        _score(plans[0], imported.network, planner, run)
        return {}
    if ranks and any(plan.steps_left for plan in plans):
        ranks.tell((plans, is_fail_fast))
        ranks.meet()
    try:
        members = _train(plans, planner, progress, is_fail_fast, ranks)
    except Exception:
        if ranks:
            ranks.tell(GIVE_UP)
        raise
    return _score_members(plans, members, planner, started)


def follow(planner: Planner, progress: StepProgress, ranks: Ranks) -> None:
    """Trains what the first rank trains, until it is done.

    Raises:
        LostRankError: This rank cannot, or another one has died.
        KeyboardInterrupt: A signal has stopped the first rank.
    """
    while told := ranks.tell(None):
        if told == GIVE_UP:  # after the last step
            continue
        plans, is_fail_fast = told
        try:
            check_same(plans, planner)
            ranks.meet()
            _train(plans, planner, progress, is_fail_fast, ranks)
        except GivenUpError:
            continue
        except Exception as error:
            raise LostRankError(f"error: rank {ranks.rank} of {ranks.size}: {error}") from error


def _train(
    plans: Sequence[Plan], planner: Planner, progress: StepProgress, is_fail_fast: bool, ranks: Ranks | None
) -> list[Member]:
    """Trains the cells of a cohort; a member that failed says why."""
    first = plans[0].cell
    # If all that is left is to score, the shapes of the teachers are enough.
    is_training = any(plan.steps_left for plan in plans)
    load = partial(load_network, planner=planner) if is_training else planner.build
    teachers = networks_asked([plan.cell for plan in plans], planner, load)
    digests = {role: weights_digest(network) for role, network in teachers.items()} if is_training else None
    for network in teachers.values():
        planner.device.place(network)
    members = [_member(plan, planner, teachers, digests, ranks) for plan in plans]
    training = planner.training(first)
    draw = partial(training_batch, first, planner.data(first.task).training)
    draws = own_draws(draw, training, ranks) if ranks else partial(draw, training)
    if left := [member for member in members if not member.is_done]:
        steps, done = max(member.training.steps for member in left), min(member.step for member in left)
        progress.start(Cohort(tuple(plan.cell for plan in plans)).name, steps, done)
    total_steps = planner.recipe(first).steps  # the grid's, also for a member that takes more
    distillers = [member.distiller for member in members]
    networks = [*teachers.values(), *(distiller.student for distiller in distillers)]
    with prefetched(draws, planner.params.workers) as batches, planner.device.training(distillers, networks):

        def teach(step: int) -> Lesson:
            batch, about = planner.device.move(batches(step)), (teachers, step, first.seed, total_steps)
            return PartLesson(ranks, batch, *about) if ranks else Lesson(batch, *about)

        give = ranks.in_step(teach) if ranks else teach
        fit(members, give, planner.params.checkpoint_seconds, progress.step, is_fail_fast)
    return members


def _score_members(
    plans: Sequence[Plan], members: Sequence[Member], planner: Planner, started: tuple[float, str]
) -> dict[Cell, Exception]:
    """Scores the cells that are trained; returns those that failed, in training or now, with the reason."""
    initial_sha256 = weights_digest(planner.build(plans[0].cell))
    failures: dict[Cell, Exception] = {}
    for plan, member in zip(plans, members, strict=True):
        try:
            if member.error:
                raise member.error
            if not member.is_done:  # stopped by the failure of another
                continue
            outcome = {
                "steps": member.step,
                "terms": member.terms,
                "initial_sha256": initial_sha256,
                "teacher_weights": member.teacher_weights,
                "micro_batches": member.micro_batches,
            }
            if member.history:  # before the records, which say that nothing is left to do
                write_history(planner.workspace.history(plan.cell), member.history)
            _score(plan, member.distiller.student, planner, _run_info(plan, planner, started), **outcome)
        except Exception as error:  # a failed cell is reported, the others go on
            log.error("%s failed: %s", plan.cell.path, error, exc_info=member.error is None)
            failures[plan.cell] = error
    return failures


def networks_asked(cells: Iterable[Cell], planner: Planner, load: Load) -> dict[Role, RestorationNetwork]:
    """The frozen networks that a cohort asks, by role; one that has two roles is loaded once."""
    asked = {role: teacher for cell in cells for role, teacher in planner.teachers(cell).items()}
    loaded = {teacher: load(teacher).eval().requires_grad_(False) for teacher in set(asked.values())}
    networks = {role: loaded[teacher] for role, teacher in asked.items()}
    if planner.vgg19 and any("perceptual" in METHODS[cell.method].teacher_roles for cell in cells):
        networks["perceptual"] = planner.vgg19.network().requires_grad_(False)
    return networks


def load_network(cell: Cell, planner: Planner) -> RestorationNetwork:
    """The trained network of a cell, in evaluation mode.

    Raises:
        FileNotFoundError: It has not been trained to its last step with this configuration.
    """
    if planner.imported(cell):
        return planner.build(cell)
    state, network = _trained(cell, planner), planner.build(cell)
    prefix = "student."
    network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return network.eval()


def load_distiller(cell: Cell, planner: Planner) -> tuple[Distiller, dict[Role, RestorationNetwork]]:
    """The trained student of a cell with its method's adapters, and the teachers it asks, in evaluation mode.

    Raises:
        FileNotFoundError: One of them has not been trained to its last step with this configuration.
    """
    state = _trained(cell, planner)
    teachers = networks_asked([cell], planner, partial(load_network, planner=planner))
    distiller = _distiller(cell, planner, teachers)
    distiller.load_state_dict(state)
    return distiller.eval(), teachers


def _trained(cell: Cell, planner: Planner) -> dict[str, Tensor]:
    """The weights of a cell's distiller after its last step; raises FileNotFoundError where there are none."""
    state = planner.trained(cell)
    if state is None:
        which = f"--task {cell.task} --network {cell.network}"
        if cell.role == "student":
            which += f" --method {cell.method} --seed {cell.seed} --teacher {cell.teacher}"
        raise FileNotFoundError(
            f"{planner.workspace.checkpoint(cell)}: no weights of {cell.path} trained with these parameters; "
            f"train it first, in the same profile: python -m bench.run {which}"
        )
    weights: dict[str, Tensor] = state["distiller"]
    return weights


def score_network(
    network: RestorationNetwork, cell: Cell, test_set: str, planner: Planner
) -> tuple[Scores, dict[str, float]]:
    """Scores a cell's network on a test set, and the degraded images under the same protocol."""
    data = planner.data(cell.task)
    protocol = data.protocol(test_set)
    sees: Literal["degraded", "clean"] = "clean" if cell.role == "reconstruction" else "degraded"
    pairs, tiling = data.test_sets[test_set], planner.params.tiling
    with planner.device.restoring(planner.device.place(network)):
        return score(network, pairs, protocol, sees, tiling), data.input_scores(test_set)


def _distiller(cell: Cell, planner: Planner, teachers: Mapping[Role, RestorationNetwork]) -> Distiller:
    """A cell's student and method, before training."""
    if cell.teacher == "oracle":
        _, teachers = planner.pair(cell)
    return new_distiller(cell, planner.build(cell), teachers, planner.method_config(cell))


def _member(
    plan: Plan,
    planner: Planner,
    teachers: Mapping[Role, RestorationNetwork],
    digests: Mapping[Role, str] | None,
    ranks: Ranks | None,
) -> Member:
    """A cell ready to train; the digests are those of the weights of the teachers."""
    cell = plan.cell
    asked = planner.asked(cell)
    member = partial(RankedMember, ranks) if ranks else Member
    return member(
        cell.path,
        planner.device.place(_distiller(cell, planner, teachers)),
        planner.training(cell),
        planner.workspace.checkpoint(cell),
        plan.config_sha256,
        about={"network": cell.network, "size": planner.size(cell), "role": cell.role},
        asks_oracle=cell.teacher == "oracle",
        teacher_weights=None if digests is None else {role: digests[role] for role in asked},
        micro_batches=plan.micro_batches,
    )


def _score(plan: Plan, network: RestorationNetwork, planner: Planner, run: RunInfo, **training: Any) -> None:
    """Scores a cell's network on every test set and writes its records."""
    for test_set, pairs in planner.data(plan.cell.task).test_sets.items():
        if plan.cell.role == "reconstruction" and pairs.pair(0)[1] is None:
            reason = f"{test_set} has no clean images, which this teacher is shown"
            record = _record(plan, test_set, planner, run, status="skipped", reason=reason)
            write_record(planner.workspace.record(plan.cell, test_set), record)
            continue
        scores, inputs = score_network(network, plan.cell, test_set, planner)
        record = _record(
            plan,
            test_set,
            planner,
            run,
            status="ok",
            metrics=scores.means(),
            input_metrics=inputs,
            unavailable=planner.data(plan.cell.task).unavailable(test_set),
            num_images=len(scores.names),
            weights_sha256=weights_digest(network),
            **training,
        )
        path = planner.workspace.record(plan.cell, test_set)
        write_per_image(path.with_suffix(".csv"), scores.names, scores.values, record.signatures)
        write_record(path, record)
        log.info("%s on %s: %s", plan.cell.path, test_set, ", ".join(f"{k} {v:.4f}" for k, v in record.metrics.items()))


def _write_skipped(plan: Plan, planner: Planner, run: RunInfo) -> None:
    for test_set in planner.data(plan.cell.task).test_sets:
        record = _record(plan, test_set, planner, run, status="skipped", reason=plan.detail)
        write_record(planner.workspace.record(plan.cell, test_set), record)


def _record(plan: Plan, test_set: str, planner: Planner, run: RunInfo, **outcome: Any) -> CellRecord:
    """The record of a cell on a test set: what was run, and its outcome."""
    cell, protocol = plan.cell, planner.data(plan.cell.task).protocol(test_set)
    config = planner.record_config(cell, test_set, plan.config)
    return CellRecord(
        task=cell.task,
        network=cell.network,
        size=planner.size(cell),
        method=cell.method,
        role=cell.role,
        seed=cell.seed,
        teacher=cell.teacher,
        control=planner.control(cell),
        pays_for=METHODS[cell.method].pays_for if cell.role == "student" else (),
        test_set=test_set,
        protocol=protocol.name,
        signatures=protocol.signatures(planner.params.tiling),
        reference={key: getattr(METHODS[cell.method].reference, key) for key in ("title", "venue", "year", "url")},
        config=config,
        config_sha256=digest(config),
        run=run,
        **outcome,
    )


def _run_info(plan: Plan, planner: Planner, started: tuple[float, str], **origin: str) -> RunInfo:
    """Timings of the cohort up to now, and where the numbers come from."""
    began, began_at = started
    here: dict[str, Any] = {"device": planner.device.about, "precision": planner.params.precision}
    here |= {"compiled": True} if planner.params.compile else {}
    here |= {"threads": torch.get_num_threads()}
    here |= {"ranks": dist.get_world_size()} if dist.is_initialized() else {}
    options = {"options": list(planner.workspace.options), "reproduce": planner.workspace.command(plan.cell)}
    retried = {"retried_after": plan.retried_after} if plan.retried_after else {}
    return RunInfo(
        seconds=round(time.monotonic() - began, 1),
        peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        started_at=began_at,
        provenance=provenance() | here | options | retried | origin,
    )
