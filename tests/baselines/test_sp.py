import pytest
import torch

from baselines.sp import SP, SPConfig, similarities, similarity_loss


def test_one_level_agrees_with_released_code(golden):
    case = golden("sp")
    case.check(similarity_loss((case["s"],), (case["t"],)), "as_released")


def test_the_levels_are_summed():
    student, teacher = ((torch.rand(3, channels, 4, 4), torch.rand(3, channels, 2, 2)) for channels in (4, 6))
    parts = [similarity_loss((ours,), (theirs,)) for ours, theirs in zip(student, teacher, strict=True)]
    torch.testing.assert_close(similarity_loss(student, teacher), sum(parts))


def test_the_terms_and_their_weights(make_network, teachers, lesson):
    distiller = SP(make_network(3, 4), teachers, SPConfig(similarity_weight=10))
    student, teacher = distiller.student.forward_features(lesson.degraded), lesson.teacher("removal")
    terms = distiller(lesson)
    assert list(terms) == ["restoration", "similarity"]
    torch.testing.assert_close(terms["restoration"], distiller.restoration_loss(student.restored, lesson.clean))
    torch.testing.assert_close(terms["similarity"], 10 * similarity_loss(student.levels, teacher.levels))


def test_a_student_that_is_its_teacher_has_nothing_to_learn(teachers, lesson):
    assert SP(teachers["removal"], teachers, SPConfig())(lesson)["similarity"] == 0


@pytest.mark.parametrize("make", [torch.rand, torch.zeros])
def test_a_batch_of_one_and_dead_features_have_nothing_to_compare(make):
    student = make(1, 4, 5, 7).requires_grad_()
    value = similarity_loss((student,), (make(1, 6, 5, 7),))
    assert value == 0
    assert torch.autograd.grad(value, student)[0].abs().sum() == 0


def test_similarities_are_those_of_full_precision_under_autocast():
    features = torch.rand(3, 4, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert similarities(features.bfloat16()).dtype == torch.float32
        torch.testing.assert_close(similarities(features), similarities(features.double()).float())


def test_different_numbers_of_levels_are_refused(make_network, teachers):
    assert "levels" in SP.unsupported(make_network(0, 4, depth=3), teachers)
    assert SP.unsupported(make_network(0, 4), teachers) is None
