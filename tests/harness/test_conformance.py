"""Each check finds the fault that it looks for."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

from bench.__main__ import app
from bench.conformance import CHECKS, NonconformityError, Trial, examine, find
from bench.conformance.trial import crops
from bench.distiller import METHODS, Distiller, Reference
from bench.parts import in_parts, mean_over_batch, whole_batch

COUNTER = itertools.count()


class Faultless(Distiller):
    """Output distillation. Terms: ``restoration`` and ``output``."""

    teacher_roles = ("removal",)
    control = "faultless"
    distances = ("output",)
    reference = Reference("A method", "someone", "somewhere", 2026, "")

    def forward(self, lesson):
        restored = self.student(lesson.degraded)
        return {
            "restoration": self.restoration_loss(restored, lesson.clean),
            "output": self.compare(restored, lesson.teacher("removal").restored, lesson),
        }

    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, theirs)


class Undocumented(Faultless):
    """Says nothing of its terms."""


class GrowsTerms(Faultless):
    def forward(self, lesson):
        return super().forward(lesson) | ({"late": torch.zeros(())} if lesson.step else {})


class NotFinite(Faultless):
    def compare(self, ours, theirs, lesson):
        return (ours - theirs).mean() / 0


class IdleAdapter(Faultless):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.adapter = torch.nn.Conv2d(3, 3, 1)


class HoldsTeacher(Faultless):
    def __init__(self, student, teachers, config):
        super().__init__(student, teachers, config)
        self.mine = teachers["removal"]


class ChangesTheBatch(Faultless):
    def forward(self, lesson):
        lesson.degraded.mul_(0.5)
        return super().forward(lesson)


class AsksMore(Faultless):
    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, lesson.teacher("reconstruction").restored)


class AsksNobody(Faultless):
    def forward(self, lesson):
        restored = self.student(lesson.degraded)
        return {"restoration": self.restoration_loss(restored, lesson.clean), "output": restored.mean()}


class DrawsGlobally(Faultless):
    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, theirs + 0.1 * torch.randn_like(theirs))


class Counts(Faultless):
    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, theirs) * (1 + next(COUNTER))


class Remembers(Faultless):
    memory = 0.0

    def compare(self, ours, theirs, lesson):
        self.memory = 0.9 * self.memory + lesson.step
        return F.l1_loss(ours, theirs) + self.memory


class NeedsSquares(Faultless):
    def compare(self, ours, theirs, lesson):
        return (ours - theirs.transpose(-1, -2)).abs().mean()


class NeedsPairs(Faultless):
    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, theirs) / (len(ours) - 1)


class Overflows(Faultless):
    def compare(self, ours, theirs, lesson):
        scale = 1e9 if torch.is_autocast_enabled("cpu") else 1
        return (scale * F.l1_loss(ours, theirs)).exp()


class TakesAnyDepth(Faultless):
    def compare(self, ours, theirs, lesson):
        features = self.student.forward_features(lesson.degraded).encoder, lesson.teacher("removal").encoder
        return torch.stack([s.mean() - t.mean() for s, t in zip(*features, strict=True)]).square().sum()


class NeverVanishes(Faultless):
    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, theirs + 0.1)


class Uncontrolled(Faultless):
    control = None


class Quadratic(Faultless):
    def compare(self, ours, theirs, lesson):
        ours, theirs = (F.avg_pool2d(image, 2).mean(dim=1).flatten(1) for image in (ours, theirs))
        return F.l1_loss(ours[:, :, None] * ours[:, None], theirs[:, :, None] * theirs[:, None])


class Interpolates(Faultless):
    def compare(self, ours, theirs, lesson):
        ours, theirs = (F.interpolate(image, scale_factor=0.5, mode="bilinear") for image in (ours, theirs))
        return F.l1_loss(ours, theirs)


class StaysOnTheCPU(Faultless):
    def compare(self, ours, theirs, lesson):
        return F.l1_loss(ours, theirs) * torch.ones(1).mean() + (ours * torch.ones(ours.shape)).mean()


class AnswersOnTheCPU(Faultless):
    def compare(self, ours, theirs, lesson):
        return torch.tensor(F.l1_loss(ours, theirs).item())


class SelectsByValue(StaysOnTheCPU):
    def compare(self, ours, theirs, lesson):
        assert (ours > theirs).any() and ours.sum().item() and int(ours.argmax())
        return ours[ours > theirs].mean() + super().compare(ours, theirs, lesson)


class RelatesImages(Faultless):
    """Declares what is not so: the greatest difference of a batch is no mean over its images."""

    @in_parts
    def forward(self, lesson):
        return super().forward(lesson)

    def compare(self, ours, theirs, lesson):
        return (ours - theirs).abs().mean(dim=(1, 2, 3)).max()


class SharesOneWay(RelatesImages):
    """Of what it needs of the whole batch, it forgets one."""

    def compare(self, ours, theirs, lesson):
        ours, theirs = whole_batch(ours.mean(dim=(1, 2, 3))), theirs.mean(dim=(1, 2, 3))
        return F.mse_loss(ours, theirs.repeat(len(ours) // len(theirs)))


class SharesValuesOnly(RelatesImages):
    """Its terms are right, their gradient is not."""

    def compare(self, ours, theirs, lesson):
        greatest = super().compare(ours, theirs, lesson)
        return mean_over_batch(F.l1_loss(ours, theirs).detach()) + greatest - greatest.detach()


class FailsOnOneRank(RelatesImages):
    def compare(self, ours, theirs, lesson):
        assert not torch.equal(lesson.clean, crops(4, 16, 16).clean[2:])
        return mean_over_batch(F.l1_loss(ours, theirs))


FAULTS = [
    (Undocumented, "is_documented", "no section `Terms:`"),
    (GrowsTerms, "terms_are_finite_scalars", "its terms change during training"),
    (NotFinite, "terms_are_finite_scalars", "term output is"),
    (IdleAdapter, "every_parameter_learns", "no gradient reaches adapter"),
    (HoldsTeacher, "teachers_stay_as_they_are", "as a submodule"),
    (ChangesTheBatch, "lessons_stay_as_they_are", "in place"),
    (AsksMore, "only_declared_networks_are_asked", "'reconstruction', which is not in its teacher_roles"),
    (AsksNobody, "only_declared_networks_are_asked", "it never asked removal"),
    (DrawsGlobally, "randomness_is_that_of_the_lesson", "PyTorch's global generator"),
    (Counts, "randomness_is_that_of_the_lesson", "the same step gave other terms"),
    (Remembers, "state_makes_the_next_step", "the next step of a resumed run differs"),
    (NeedsSquares, "odd_sizes_are_taken", "RuntimeError"),
    (NeedsPairs, "a_single_crop_is_taken", "the loss of a single crop is inf"),
    (Overflows, "bfloat16_is_taken", "in bfloat16 is inf"),
    (TakesAnyDepth, "unequal_levels_are_refused_or_trained", "ValueError"),
    (TakesAnyDepth, "outputs_are_enough_or_refused", "ValueError"),
    (NeverVanishes, "distances_vanish", "where the student is its teacher"),
    (Uncontrolled, "outputs_have_a_control", "declare `control`"),
    (Quadratic, "memory_is_bounded", "times the memory"),
    (Interpolates, "steps_come_again_on_cuda", "gradient of bilinear interpolation"),
    (StaysOnTheCPU, "devices_do_not_mix", "to be on the same device"),
    (AnswersOnTheCPU, "devices_do_not_mix", "term output is on the CPU"),
    (RelatesImages, "parts_make_up_the_whole", "from halves, output are others"),
    (SharesOneWay, "parts_make_up_the_whole", "from halves, output are others"),
    (SharesValuesOnly, "parts_make_up_the_whole", "of its norm"),
    (FailsOnOneRank, "parts_make_up_the_whole", "AssertionError"),
]


@pytest.fixture(autouse=True)
def one_thread(two_threads):
    torch.set_num_threads(1)


@pytest.fixture
def registered(monkeypatch):
    """Registers a method for one test."""

    def register(method):
        METHODS._loaded()
        monkeypatch.setitem(METHODS._entries, "faultless", method)

    return register


def test_a_faultless_method_passes(registered):
    registered(Faultless)
    assert [finding.problem for finding in examine(Faultless) if finding.problem] == []


@pytest.mark.parametrize(("method", "check", "problem"), FAULTS, ids=[f"{m.__name__}-{c}" for m, c, _ in FAULTS])
def test_each_fault_is_found(registered, method, check, problem):
    registered(method)
    finding = find(check, method)
    assert problem in finding.problem
    assert finding.promise


def test_what_depends_on_values_is_not_followed(registered):
    registered(SelectsByValue)
    assert not find("devices_do_not_mix", SelectsByValue).problem


def test_every_check_is_shown_to_fail():
    assert {check for _, check, _ in FAULTS} == set(CHECKS)


def test_a_teacher_that_is_changed_is_found(registered):
    class Spoils(Faultless):
        """Terms: ``restoration`` and ``output``."""

        def compare(self, ours, theirs, lesson):
            with torch.no_grad():
                next(lesson._teachers["removal"].parameters()).add_(1)
            return F.l1_loss(ours, theirs)

    with pytest.raises(NonconformityError, match="it changed the weights of the removal teacher"):
        CHECKS["teachers_stay_as_they_are"](Spoils)


def test_a_trial_does_not_touch_the_student_it_copies():
    trial = Trial(METHODS["scratch"])
    before = copy.deepcopy(trial.student.state_dict())
    distiller = trial.start()
    torch.optim.SGD(distiller.parameters(), 1.0).step()
    assert all(torch.equal(value, before[key]) for key, value in trial.student.state_dict().items())


def test_the_command_says_what_is_wrong_and_exits_with_1(registered):
    registered(NeverVanishes)
    done = CliRunner().invoke(app, ["check", "--method", "faultless"])
    assert done.exit_code == 1
    assert "faultless: 18 of 19 checks passed" in done.stdout
    assert "distances_vanish: term output is" in done.stdout and "promised:" in done.stdout
