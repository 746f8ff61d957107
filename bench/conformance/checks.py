"""The promises of `Distiller`, each as a function that raises where a method does not keep it."""

import copy
import inspect
import math
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bench.batch import Batch
from bench.conformance.pair import Pair
from bench.conformance.rehearsal import UNFOLLOWED, place, rehearsal
from bench.conformance.trial import TOTAL_STEPS, Method, Trial, crops, total, trained, values
from bench.determinism import nondeterministic_on_cuda
from bench.distiller import METHODS, Distiller, Lesson, Role
from bench.latency import LiveTensors
from bench.networks.base import Features, RestorationNetwork, build_network
from bench.parts import exchanging, is_in_parts

MEMORY_BOUND = 8.0
"""A step on a crop of 128x128 may need so many times the memory of the student's step alone, with NAFNet's reduced pair
and what the teachers answer not counted: what is quadratic in the number of pixels exceeds it a hundredfold."""


class NonconformityError(Exception):
    """A method does not keep a promise; the message says which, and where to look."""


def require(condition: bool, message: str) -> None:
    """Raises NonconformityError with this message unless the condition holds."""
    if not condition:
        raise NonconformityError(message)


def is_documented(method: Method) -> None:
    """It says where it comes from, what its idea is, and the formula of every term."""
    reference = getattr(method, "reference", None)
    require(reference is not None, "it has no `reference`: give it a bench.distiller.Reference")
    require(bool(method.reference.title), "its reference has no title")
    about = inspect.getdoc(method) or ""
    require("Terms:" in about, "its docstring has no section `Terms:` with the formula of every term")
    trial = Trial(method)
    for name in trial.start()(trial.lesson()):
        require(f"``{name}``" in about, f"its docstring does not explain the term ``{name}``")


def terms_are_finite_scalars(method: Method) -> None:
    """Its terms are finite scalars, and the same terms at every step, whose history is kept by name."""
    trial = Trial(method)
    distiller = trial.start()
    names: list[list[str]] = []
    for step in (0, TOTAL_STEPS // 2, TOTAL_STEPS - 1):
        terms = distiller(trial.lesson(step))
        require(len(terms) > 0, "it returns no terms")
        for name, term in terms.items():
            require(term.ndim == 0, f"term {name} has the shape {tuple(term.shape)}, expected a scalar")
            require(math.isfinite(term.item()), f"term {name} is {term.item()} at step {step}")
        names.append(list(terms))
    require(names[0] == names[1] == names[2], f"its terms change during training: {names}")


def every_parameter_learns(method: Method) -> None:
    """Every parameter of student and adapters gets a gradient, at the first step or at the last."""
    trial = Trial(method)
    reached: set[str] = set()
    distiller = trial.start()
    for step in (0, TOTAL_STEPS - 1):
        distiller.zero_grad()
        total(distiller(trial.lesson(step))).backward()
        reached |= {name for name, p in trained(distiller) if p.grad is not None and p.grad.abs().sum() > 0}
    idle = [name for name, _ in trained(distiller) if name not in reached]
    require(not idle, f"no gradient reaches {', '.join(idle[:5])}; what is not trained has requires_grad False")


def teachers_stay_as_they_are(method: Method) -> None:
    """Training leaves the teachers bitwise as they were, in evaluation mode, and no part of the method."""
    trial = Trial(method)
    before = copy.deepcopy({role: teacher.state_dict() for role, teacher in trial.teachers.items()})
    distiller = trial.start()
    held = {id(module) for module in distiller.modules()}
    optimizer = torch.optim.Adam([parameter for _, parameter in trained(distiller)], 1e-3)
    for step in range(2):
        optimizer.zero_grad()
        total(distiller(trial.lesson(step))).backward()
        optimizer.step()
    for role, teacher in trial.teachers.items():
        require(id(teacher) not in held, f"it holds the {role} teacher as a submodule: a checkpoint would, too")
        require(not teacher.training, f"it put the {role} teacher into training mode")
        require(all(p.grad is None for p in teacher.parameters()), f"a gradient reached the {role} teacher's weights")
        same = all(torch.equal(value, before[role][key]) for key, value in teacher.state_dict().items())
        require(same, f"it changed the weights of the {role} teacher")


def lessons_stay_as_they_are(method: Method) -> None:
    """It changes neither the images nor the teachers' answers, which other methods of the cohort see next."""
    trial = Trial(method)
    lesson = trial.lesson()
    roles = [role for role in trial.teachers if role != "perceptual"]
    answers = [tensor for role in roles for tensor in _tensors(lesson.teacher(role))]
    seen = [lesson.degraded, lesson.clean, *answers]
    before = [tensor.clone() for tensor in seen]
    total(trial.start()(lesson)).backward()
    same = all(torch.equal(now, then) for now, then in zip(seen, before, strict=True))
    require(same, "it changed an image of the batch or a teacher's answer in place: work on a copy")


def _tensors(features: Features) -> tuple[Tensor, ...]:
    return (features.restored, *features.levels)


def only_declared_networks_are_asked(method: Method) -> None:
    """It asks all networks in ``teacher_roles``, and no others."""
    asked: set[Role] = set()

    class Listening(Lesson):
        def ask(self, role: Role, image: Tensor) -> Features:
            asked.add(role)
            return super().ask(role, image)

        def perceive(self, image: Tensor) -> tuple[Tensor, ...]:
            asked.add("perceptual")
            return super().perceive(image)

    trial = Trial(method)
    distiller = trial.start()
    for step in (0, TOTAL_STEPS - 1):
        lesson = Listening(crops(3, 16, 16), trial.teachers, step, 0, TOTAL_STEPS)
        try:
            distiller(lesson)
        except KeyError as error:
            raise NonconformityError(f"it asked for {error}, which is not in its teacher_roles") from error
    unasked = set(method.teacher_roles) - asked
    require(not unasked, f"it never asked {', '.join(unasked)}: teacher_roles makes runs train them for nothing")


def randomness_is_that_of_the_lesson(method: Method) -> None:
    """It draws from ``lesson.generator`` only: the same step gives the same terms, whatever others draw."""
    trial = Trial(method)
    before = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    first = values(trial.start()(trial.lesson(5)))
    after = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    require(torch.equal(before[0], after[0]), "it drew from PyTorch's global generator: draw from lesson.generator")
    require(before[1:] == after[1:], "it drew from a global generator: draw from lesson.generator")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        distiller = trial.start()
        torch.manual_seed(98)
        again = values(distiller(trial.lesson(5)))
    require(first == again, f"the same step gave other terms: {first} and {again}")


def state_makes_the_next_step(method: Method) -> None:
    """A state_dict taken between two steps gives the same next step in another process: nothing else is remembered."""
    trial = Trial(method)
    distiller = trial.start()
    optimizer = torch.optim.SGD([parameter for _, parameter in trained(distiller)], 1e-3)
    for step in range(4):
        optimizer.zero_grad()
        total(distiller(trial.lesson(step))).backward()
        optimizer.step()
    other = trial.start()
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(copy.deepcopy(distiller.state_dict()))
    ours, theirs = values(distiller(trial.lesson(4))), values(other(trial.lesson(4)))
    require(ours == theirs, f"the next step of a resumed run differs: {theirs} instead of {ours}")
    states = distiller.state_dict(), other.state_dict()
    differing = [key for key in states[0] if not torch.equal(states[0][key], states[1][key])]
    require(not differing, f"after the next step of a resumed run, {', '.join(differing[:5])} differ")


def odd_sizes_are_taken(method: Method) -> None:
    """It takes crops that are not square, whose coarse levels have odd sides."""
    trial = Trial(method)
    loss = total(trial.start()(trial.lesson(shape=(2, 20, 36))))
    loss.backward()
    require(math.isfinite(loss.item()), f"the loss of crops of 20x36 is {loss.item()}")


def a_single_crop_is_taken(method: Method) -> None:
    """It takes a batch of one crop."""
    trial = Trial(method)
    distiller = trial.start()
    loss = total(distiller(trial.lesson(shape=(1, 16, 16))))
    loss.backward()
    require(math.isfinite(loss.item()), f"the loss of a single crop is {loss.item()}")
    _require_finite_gradients(distiller, "of a single crop")


def _require_finite_gradients(distiller: Distiller, of: str) -> None:
    broken = [name for name, p in trained(distiller) if p.grad is not None and not p.grad.isfinite().all()]
    require(not broken, f"the gradients {of} are not finite: {', '.join(broken[:5])}")


def bfloat16_is_taken(method: Method) -> None:
    """Its terms and their gradients stay finite under bfloat16 autocast."""
    trial = Trial(method)
    distiller = trial.start()
    with torch.autocast("cpu", torch.bfloat16):
        loss = total(distiller(trial.lesson()))
    loss.backward()
    require(math.isfinite(loss.item()), f"the loss in bfloat16 is {loss.item()}")
    _require_finite_gradients(distiller, "in bfloat16")


def unequal_levels_are_refused_or_trained(method: Method) -> None:
    """Teachers of another depth are taken, or refused with a reason before anything is built."""
    trial = Trial(method, teacher_depth=3)
    if _is_refused(method, trial.student, trial.described):
        return
    loss = total(trial.start()(trial.lesson()))
    require(math.isfinite(loss.item()), f"the loss with a deeper teacher is {loss.item()}")


def outputs_are_enough_or_refused(method: Method) -> None:
    """Teachers that are known by their output only are taken, or refused with a reason."""

    class OutputOnly(RestorationNetwork):
        encoder_channels = decoder_channels = ()
        size_multiple = 1

        def forward_features(self, image: Tensor) -> Features:
            return Features(image.clone(), (), ())

    trial = Trial(method)
    trial.teachers = dict.fromkeys(trial.teachers, OutputOnly())
    if _is_refused(method, trial.student, trial.described):
        return
    loss = total(trial.start()(trial.lesson()))
    require(math.isfinite(loss.item()), f"the loss with a teacher without features is {loss.item()}")


def _is_refused(method: Method, student: RestorationNetwork, teachers: dict[Role, RestorationNetwork]) -> bool:
    reason = method.unsupported(student, teachers)
    require(reason is None or len(reason) > 10, f"it refuses a pair with the reason {reason!r}: say what does not fit")
    return reason is not None


def distances_vanish(method: Method) -> None:
    """The terms in ``distances`` are zero where student and teacher are the same network."""
    trial = Trial(method, is_twin=True)
    # The reconstruction teacher's own image is the clean one; the student that is its twin then sees it, too.
    is_shown_clean = "removal" not in method.teacher_roles
    batch = crops(3, 16, 16)
    shown = Batch(batch.clean, batch.clean) if is_shown_clean else batch
    # Not with the default loss: for smoothness at zero, it is a little above it there.
    distiller = trial.start(restoration_loss="l1")
    terms = values(distiller(Lesson(shown, trial.teachers, 0, 0, TOTAL_STEPS)))
    for name in method.distances:
        require(name in terms, f"its `distances` name {name}, but its terms are {', '.join(terms)}")
        require(abs(terms[name]) < 1e-6, f"term {name} is {terms[name]:.3g} where the student is its teacher")


def outputs_have_a_control(method: Method) -> None:
    """Where terms depend on what a teacher restores, it names a control; it trains with an oracle if that is itself."""
    if method.control is None:
        require(not _listens_to_outputs(method), _NO_CONTROL)
    elif METHODS.get(method.control) is method:
        trial = Trial(method, is_oracle=True)
        reason = method.unsupported(trial.student, trial.described)
        require(reason is None, f"it is its own control, but refuses an oracle: {reason}")
        distiller = trial.start()
        loss = total(distiller(trial.lesson()))
        loss.backward()
        require(math.isfinite(loss.item()), f"its loss with an oracle is {loss.item()}")
        reached = any(p.grad is not None and p.grad.abs().sum() > 0 for p in distiller.student.parameters())
        require(reached, "with an oracle, its student learns nothing")


_NO_CONTROL = (
    "its terms depend on what a teacher restores: declare `control` with its own name, so that the same loss with an "
    "oracle shows what of the gain a teacher gave"
)


def _listens_to_outputs(method: Method) -> bool:
    """Whether the terms change with the teachers' outputs, all features being equal."""

    class Brighter(Lesson):
        def ask(self, role: Role, image: Tensor) -> Features:
            answer = super().ask(role, image)
            return answer if role == "perceptual" else answer._replace(restored=answer.restored + 0.5)

    trial = Trial(method)
    brighter = Brighter(crops(3, 16, 16), trial.teachers, 0, 0, TOTAL_STEPS)
    ours, theirs = values(trial.start()(brighter)), values(trial.start()(trial.lesson()))
    # Not to the last digit: a term that is scaled to another one has its value, up to rounding.
    return any(not math.isclose(ours[name], theirs[name], rel_tol=1e-4, abs_tol=1e-12) for name in theirs)


def memory_is_bounded(method: Method) -> None:
    """A step on 128x128 pixels needs at most eight times the memory of the student's step alone."""
    student = build_network("nafnet", "micro")
    removal, reconstruction = (build_network("nafnet", "mini", residual=residual) for residual in (True, False))
    networks: dict[Role, RestorationNetwork] = {
        "removal": removal, "reconstruction": reconstruction, "perceptual": removal
    }  # fmt: skip
    teachers = {role: networks[role].eval().requires_grad_(False) for role in method.teacher_roles}
    alone = _peak_bytes(METHODS["scratch"], student, {})
    share = _peak_bytes(method, student, teachers) / alone
    require(share <= MEMORY_BOUND, f"a step needs {share:.1f} times the memory of the student's step alone")


def _peak_bytes(method: Method, student: RestorationNetwork, teachers: dict[Role, RestorationNetwork]) -> int:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        distiller = method(copy.deepcopy(student), teachers, method.Config())
    lesson = Lesson(crops(1, 128, 128), teachers, 0, 0, TOTAL_STEPS)
    for role in teachers:
        lesson.ask(role, lesson.degraded)
        lesson.ask(role, lesson.clean)
    with LiveTensors() as live:
        live.follow((*distiller.parameters(), *distiller.buffers()))
        total(distiller(lesson)).backward()
    return live.peak


def steps_come_again_on_cuda(method: Method) -> None:
    """Every operation of a step has a deterministic version on CUDA, where there is a choice."""
    trial = Trial(method)
    distiller = trial.start()
    found = nondeterministic_on_cuda(lambda: total(distiller(trial.lesson())).backward())
    require(not found, f"a step takes what has none: {', '.join(found)}")


def devices_do_not_mix(method: Method) -> None:
    """Whatever it makes by itself in a step is where the images are, so that a step can be taken on a GPU."""
    trial, batch = Trial(method), crops(3, 16, 16)
    distiller = trial.start()
    with rehearsal() as move:
        for network in (distiller, *trial.teachers.values()):
            place(network, move)
        for step in (0, TOTAL_STEPS // 2):
            lesson = Lesson(Batch(*map(move, batch)), trial.teachers, step, 0, TOTAL_STEPS)
            try:
                terms = distiller(lesson)
            except UNFOLLOWED:
                return
            for name, term in terms.items():
                require(term.device == lesson.clean.device, f"term {name} is on the CPU where the images are on a GPU")


def parts_make_up_the_whole(method: Method) -> None:
    """If it is declared ``in_parts``, two ranks get the terms and gradients of one process from halves of a batch."""
    trial, pair = Trial(method), Pair()
    whole, halves = trial.start(), [trial.start() for _ in range(2)]
    if not is_in_parts(whole):
        return

    def half(rank: int) -> tuple[dict[str, float], Tensor]:
        with exchanging(pair.exchange(rank)):
            return _terms_and_gradient(halves[rank], trial.lesson(step, (4, 16, 16)).split(2)[rank])

    for step in (0, TOTAL_STEPS // 2):
        terms, gradient = _terms_and_gradient(whole, trial.lesson(step, (4, 16, 16)))
        (ours, ours_gradient), (_, theirs_gradient) = pair.work(half)
        far = [name for name, value in terms.items() if not math.isclose(ours[name], value, rel_tol=1e-3, abs_tol=1e-7)]
        require(not far, f"{_NOT_IN_PARTS}: from halves, {', '.join(far)} are others")
        mean = (ours_gradient + theirs_gradient) / 2
        share = ((mean - gradient).norm() / gradient.norm()).item()
        require(share < 1e-3, f"{_NOT_IN_PARTS}: from halves, the gradient differs by {share:.1g} of its norm")


_NOT_IN_PARTS = (
    "it relates the images of a batch to one another, or draws by their number; ask bench.parts for what it needs of "
    "the whole batch, or do not declare it in_parts"
)


def _terms_and_gradient(distiller: Distiller, lesson: Lesson) -> tuple[dict[str, float], Tensor]:
    distiller.zero_grad()
    terms = distiller(lesson)
    total(terms).backward()
    gradients = (torch.zeros_like(p) if p.grad is None else p.grad for _, p in trained(distiller))
    return values(terms), torch.cat([gradient.flatten() for gradient in gradients])


CHECKS: dict[str, Callable[[Method], None]] = {
    check.__name__: check
    for check in (
        is_documented,
        terms_are_finite_scalars,
        every_parameter_learns,
        teachers_stay_as_they_are,
        lessons_stay_as_they_are,
        only_declared_networks_are_asked,
        randomness_is_that_of_the_lesson,
        state_makes_the_next_step,
        odd_sizes_are_taken,
        a_single_crop_is_taken,
        bfloat16_is_taken,
        unequal_levels_are_refused_or_trained,
        outputs_are_enough_or_refused,
        distances_vanish,
        outputs_have_a_control,
        memory_is_bounded,
        steps_come_again_on_cuda,
        devices_do_not_mix,
        parts_make_up_the_whole,
    )
}
"""By name, in the order in which they are run; the first line of each docstring is the promise."""
