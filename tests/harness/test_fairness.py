"""Students are compared only where nothing but the method differs among them."""

import pytest

from bench.fairness import cautions, unfair
from tests.harness.test_tables import record

TRAINING = {"batch_size": 8, "learning_rate": 0.001, "final_learning_rate": 0.0, "steps": 160}


def student(method, **changes):
    config = {"training": TRAINING, "training_data": "a 1", "threads": 2, "code": {}} | changes.pop("config", {})
    alike = {"steps": 160, "initial_sha256": "a" * 64, "teacher_weights": {"removal": "b" * 64}}
    return record(method, config=config, **(alike | changes))


FAIR = [student("scratch"), student("fitnet"), student("slkd", test_set="rain_heavy"), student("slkd")]


def test_students_that_differ_in_the_method_only_may_be_compared():
    assert unfair(FAIR) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 200}, "slkd was trained for 200 steps, scratch was trained for 160 steps"),
        (
            {"initial_sha256": "c" * 64},
            f"slkd began with the weights {'c' * 12}, scratch began with the weights {'a' * 12}",
        ),
        ({"size": "mini"}, "slkd is of size mini, scratch is of size micro"),
        ({"config": {"threads": 1}}, "slkd was trained with 1 threads, scratch was trained with 2 threads"),
        ({"config": {"training_data": "a 2"}}, "slkd was trained on a 2, scratch was trained on a 1"),
        (
            {"config": {"training": TRAINING | {"batch_size": 4}}},
            "slkd was trained with batch_size 4, scratch was trained with batch_size 8",
        ),
        (
            {"config": {"training": TRAINING | {"final_learning_rate": 1e-6}}},
            "slkd was trained with final_learning_rate 1e-06, scratch was trained with final_learning_rate 0.0",
        ),
        (
            {"teacher_weights": {"removal": "d" * 64}},
            f"slkd asked a removal teacher with the weights {'d' * 12}, "
            f"scratch asked a removal teacher with the weights {'b' * 12}",
        ),
    ],
)
def test_what_differs_is_named_with_both_values(changes, says):
    assert unfair([*FAIR[:2], student("slkd", **changes)]) == [f"deraining/nafnet/seed0: {says}; run the cohort again"]


def test_other_cohorts_may_differ():
    others = [{"seed": 1}, {"task": "denoising"}, {"network": "restormer"}]
    assert unfair([*FAIR, *(student("slkd", initial_sha256="c" * 64, **other) for other in others)]) == []


def test_teachers_and_skipped_cells_are_no_students():
    assert (
        unfair([*FAIR, student("scratch", role="removal", size="mini"), student("at", status="skipped", steps=0)]) == []
    )


def test_what_a_record_does_not_tell_is_not_compared():
    assert unfair([*FAIR, student("at", initial_sha256="", teacher_weights={"reconstruction": "e" * 64})]) == []


def test_steps_may_pay_for_what_teachers_cost():
    assert unfair([*FAIR, student("scratch_long", steps=656, pays_for=("removal",))]) == []


def test_records_of_earlier_releases_may_have_other_steps_but_nothing_else():
    old = {"training": TRAINING, "training_data": "a 1", "threads": 2}
    earlier = record("at", config=old, steps=99, initial_sha256="a" * 64)
    assert unfair([*FAIR, earlier]) == []
    assert "at is of size mini" in unfair([*FAIR, earlier.model_copy(update={"size": "mini"})])[0]


def test_of_two_the_student_alone_is_the_usual_one():
    assert unfair([student("at", size="mini"), student("scratch")])[0].startswith(
        "deraining/nafnet/seed0: at is of size mini, scratch"
    )


def test_two_test_sets_of_one_method_are_named():
    found = unfair([student("slkd"), student("slkd", test_set="rain_heavy", steps=99)])
    assert "slkd on rain_heavy was trained for 99 steps, slkd on rain_light was trained for 160 steps" in found[0]


def test_parts_of_a_batch_and_other_code_are_noted():
    code = [{"code": {"bench.losses": version}} for version in ("1", "2")]
    records = [
        student("scratch", config=code[0]),
        student("at", config=code[0], micro_batches=2),
        student("slkd", config={"code": {"bench.losses": "2", "slkd": "3"}}, micro_batches=2),
    ]
    assert unfair(records) == [] and list(cautions(FAIR)) == []
    assert list(cautions(records)) == [
        "`at`, `slkd`: batches were taken in 2 parts, because they had not fitted into memory.",
        "`slkd` of deraining/nafnet/seed0: trained with another version of `bench.losses` than the rest of the cohort.",
    ]
