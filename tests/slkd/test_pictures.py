import pytest
import torch

from bench.batch import Batch
from bench.distiller import METHODS, Lesson, OracleLesson
from slkd import SLKD, SLKDConfig, brisque, piqe


@pytest.fixture
def lesson(teachers, batch):
    """A single image."""
    return Lesson(Batch(batch.degraded[:1], batch.clean[:1]), teachers, step=0)


@torch.no_grad()
def pictures(slkd, lesson):
    return {name: panels.rows for name, panels in slkd.pictures(lesson).items()}


ENCODER, DECODER = ["student, encoder", "teacher A, encoder"], ["student, decoder", "teacher B, decoder"]


def test_every_level_of_student_and_teachers_is_shown(make_slkd, lesson):
    shown = pictures(make_slkd(), lesson)
    assert [*shown] == ["scm", "mscn", "texture", "edge"]
    for name, rows in shown.items():
        assert [*rows] == ENCODER + DECODER
        assert [len(row) for row in rows.values()] == [3, 3, 2, 2]
        for row in rows.values():
            assert row.shape[1:] == (3 if name == "scm" else 1, 32, 32) and row.isfinite().all()


def test_the_images_are_those_that_are_compared(make_slkd, lesson, teachers):
    slkd = make_slkd()
    terms = slkd(lesson)
    scm = pictures(slkd, lesson)["scm"]
    nc, et = (slkd.measured[f"{name}_unweighted"] for name in ("nc", "et"))
    assert terms.keys() >= {"nc", "et"}
    assert 3 * brisque.distance(*(scm[name] for name in ENCODER)).item() == pytest.approx(nc.item(), rel=1e-5)
    assert 2 * piqe.distance(*(scm[name] for name in DECODER)).item() == pytest.approx(et.item(), rel=1e-5)


def test_blocks_lie_where_they_do_in_the_image(make_slkd, lesson):
    shown = pictures(make_slkd(), lesson)
    image = shown["scm"]["student, decoder"]
    texture = piqe.extract(image).texture.mean(dim=1)
    for row in range(2):
        for column in range(2):
            block = shown["texture"]["student, decoder"][:, 0, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            assert torch.equal(block, texture[:, row, column, None, None].expand_as(block))


@pytest.mark.parametrize(
    ("changes", "figures", "rows"),
    [
        ({"et_weight": 0.0}, 4, ENCODER),
        ({"nc_weight": 0.0}, 4, DECODER),
        ({"extractors": "identity"}, 1, ENCODER + DECODER),
        ({"nc_weight": 0.0, "et_weight": 0.0}, 0, None),
    ],
)
def test_what_an_ablation_leaves_out_is_not_shown(make_slkd, lesson, changes, figures, rows):
    shown = pictures(make_slkd(**changes), lesson)
    assert len(shown) == figures
    assert all([*of_figure] == rows for of_figure in shown.values())


def test_a_control_and_methods_without_pictures_show_nothing(make_network, make_slkd, lesson):
    from bench.distiller import Oracle

    control = SLKD(make_network(3, 4), dict.fromkeys(SLKD.teacher_roles, Oracle()), SLKDConfig())
    assert pictures(control, OracleLesson(lesson)) == {}
    scratch = METHODS["scratch"](make_network(3, 4), {}, METHODS["scratch"].Config())
    assert scratch.pictures(lesson) == {}
