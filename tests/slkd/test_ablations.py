"""Every ablation turns its switch and nothing else."""

import pytest
import torch
from pydantic import ValidationError

from bench.distiller import METHODS, Lesson, Oracle, OracleLesson
from slkd import SLKD, SLKDConfig
from slkd.ablations import ABLATIONS

FULL = ["restoration", "kl", "nc", "et"]
TERMS = {
    "slkd_kl": ["restoration", "kl"],
    "slkd_drl": ["restoration", "kl", "nc"],
    "slkd_irl": ["restoration", "kl", "et"],
    "slkd_no_kl": ["restoration", "nc", "et"],
}
PROBES = {"nc": "probes_a", "et": "probes_b"}
QUESTIONS = {
    "slkd_kl": [("removal", "degraded")],
    "slkd_drl": [("removal", "degraded")],
    "slkd_degraded_b": [("removal", "degraded"), ("reconstruction", "degraded")],
    "slkd_restorer_b": [("removal", "degraded"), ("removal", "clean")],
}


@pytest.fixture
def build(make_network, teachers):
    """Makes a method of any name whose student and adapters start from the same weights as all others of its kind."""

    def make(name, teachers=teachers):
        torch.manual_seed(0)
        return METHODS[name](make_network(3, 4), teachers, METHODS[name].Config())

    return make


def test_all_are_registered():
    assert {name for name in METHODS if name.startswith("slkd_")} == set(ABLATIONS)


@pytest.mark.parametrize("name", ABLATIONS)
def test_it_is_slkd_but_for_its_switch(name):
    ablation = ABLATIONS[name]
    method = METHODS[name]
    assert issubclass(method, SLKD)
    assert method.Config().model_dump() == SLKDConfig().model_dump() | ablation.switch
    assert method.Config().model_dump() != SLKDConfig().model_dump()
    assert ablation.question in method.__doc__ and "an ablation" in method.reference.title


@pytest.mark.parametrize("name", ABLATIONS)
def test_its_terms_are_those_that_are_left(name, build, lesson):
    distiller = build(name)
    assert list(distiller(lesson)) == TERMS.get(name, FULL)
    measured = {f"{term}_unweighted" for term in TERMS.get(name, FULL)[1:]}
    probes = {PROBES[term] for term in ("nc", "et") if f"{term}_unweighted" in measured}
    assert set(distiller.measured) == measured | probes


@pytest.mark.parametrize("name", ABLATIONS)
def test_it_asks_for_what_it_needs_and_no_more(name, build, teachers, batch):
    asked = []

    class Listening(Lesson):
        def ask(self, role, image):
            asked.append((role, "clean" if image is self.clean else "degraded"))
            return super().ask(role, image)

    build(name)(Listening(batch, teachers, step=0))
    expected = QUESTIONS.get(name, [("removal", "degraded"), ("reconstruction", "clean")])
    assert list(dict.fromkeys(asked)) == expected
    assert {role for role, _ in asked} == set(METHODS[name].teacher_roles)


def test_settings_keep_their_range():
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        METHODS["slkd_drl"].Config(et_weight=-1)


def test_identity_extractors_compare_pixels(build, lesson, teachers):
    plain = build("slkd_plain")
    plain(lesson)
    ours, theirs = plain.removal.student_scm, plain.removal.teacher_scm
    images = ours(plain.student.forward_features(lesson.degraded).encoder)
    target = theirs(lesson.teacher("removal").encoder)
    expected = 3 * (images - target).abs().mean()  # the sum over three levels of equally large images
    torch.testing.assert_close(plain.measured["nc_unweighted"], expected.detach())


def test_with_an_oracle_only_the_image_level_term_is_left(build, lesson):
    oracles = dict.fromkeys(SLKD.teacher_roles, Oracle())
    slkd, kl = (build(name, oracles)(OracleLesson(lesson)) for name in ("slkd", "slkd_kl"))
    assert list(slkd) == ["restoration", "kl"]
    assert slkd == kl, "one control serves SLKD and its ablations"


def test_absolute_weights_have_a_control_of_their_own():
    assert {name: METHODS[name].control for name in ABLATIONS} == {
        **dict.fromkeys(ABLATIONS, "slkd"),
        "slkd_no_kl": None,
        "slkd_absolute": "slkd_absolute",
    }
