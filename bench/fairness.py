"""Whether the students of a cohort may stand in one table: nothing but the method may differ among them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from bench.record import CellRecord


class Cohort(NamedTuple):
    """What students that are compared have in common."""

    task: str
    network: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task}/{self.network}/seed{self.seed}"


Fact = Callable[[CellRecord], Any]
"""What is compared; None or empty where a record does not tell."""


def unfair(records: Sequence[CellRecord]) -> list[str]:
    """Why students cannot be compared; empty where they can.

    The students of a cohort must begin with the same weights, be of the same size, train the same way on the same
    images with as many threads, and ask the same teachers. They must take as many steps, but for methods that pay with
    steps for what teachers cost, and for records of earlier releases, which do not know of ``code``: tables show these
    without a rank.

    Returns:
        For every method that differs from most of its cohort, in what, with both values.
    """
    reasons = []
    for cohort, students in _cohorts(records).items():
        for says, fact in _facts(students).items():
            told = [student for student in students if fact(student) not in (None, "")]
            for student, usual in _odd(told, fact):
                reasons.append(f"{cohort}: {_both(student, usual, says, fact)}")
        of_equals = [student for student in students if "code" in student.config and not student.pays_for]
        for student, usual in _odd(of_equals, _steps):
            reasons.append(f"{cohort}: {_both(student, usual, 'was trained for {} steps', _steps)}")
    return list(dict.fromkeys(reasons))


def cautions(records: Sequence[CellRecord]) -> Iterator[str]:
    """What a reader should know of students that may be compared all the same, as notes of a table."""
    parts: dict[int, dict[str, None]] = {}
    for record in records:
        if record.micro_batches > 1:
            parts.setdefault(record.micro_batches, {})[f"`{record.label}`"] = None
    for number, labels in sorted(parts.items()):
        yield f"{', '.join(labels)}: batches were taken in {number} parts, because they had not fitted into memory."
    changed: dict[str, dict[str, None]] = {}
    for cohort, students in _cohorts(records).items():
        for module in dict.fromkeys(module for student in students for module in student.config.get("code", {})):
            told = [student for student in students if module in student.config.get("code", {})]
            for student, _ in _odd(told, _setting("code", module)):
                changed.setdefault(module, {})[f"`{student.label}` of {cohort}"] = None
    for module, students_of_it in changed.items():
        yield f"{', '.join(students_of_it)}: trained with another version of `{module}` than the rest of the cohort."


def _cohorts(records: Sequence[CellRecord]) -> dict[Cohort, list[CellRecord]]:
    cohorts: dict[Cohort, list[CellRecord]] = {}
    for record in records:
        if record.role == "student" and record.status == "ok":
            cohorts.setdefault(Cohort(record.task, record.network, record.seed), []).append(record)
    return cohorts


def _facts(students: Sequence[CellRecord]) -> dict[str, Fact]:
    """What must be alike, by the words that tell it."""
    keys = dict.fromkeys(key for student in students for key in student.config.get("training", {}))
    roles = dict.fromkeys(role for student in students for role in student.teacher_weights)
    return {
        "began with the weights {}": lambda student: student.initial_sha256[:12],
        "is of size {}": lambda student: student.size,
        **{f"was trained with {key} {{}}": _setting("training", key) for key in keys if key != "steps"},
        "was trained on {}": lambda student: student.config.get("training_data"),
        "was trained with {} threads": lambda student: student.config.get("threads"),
        **{f"asked a {role} teacher with the weights {{}}": _asked(role) for role in roles},
    }


def _setting(part: str, key: str) -> Fact:
    return lambda student: student.config.get(part, {}).get(key)


def _asked(role: str) -> Fact:
    return lambda student: student.teacher_weights.get(role, "")[:12]


def _steps(student: CellRecord) -> int:
    return student.steps


def _odd(students: Sequence[CellRecord], fact: Fact) -> Iterator[tuple[CellRecord, CellRecord]]:
    """Students with another value than most, each beside one of those; ``scratch`` decides where there is no most."""
    counts = Counter(str(fact(student)) for student in students)
    order = sorted(students, key=lambda student: (-counts[str(fact(student))], student.label != "scratch"))
    return ((student, order[0]) for student in students if fact(student) != fact(order[0]))


def _both(student: CellRecord, usual: CellRecord, says: str, fact: Fact) -> str:
    """Both values in words; of two test sets of one method, which."""
    is_one = student.label == usual.label
    names = (record.label + (f" on {record.test_set}" if is_one else "") for record in (student, usual))
    first, second = (
        f"{name} {says.format(fact(record))}" for name, record in zip(names, (student, usual), strict=True)
    )
    return f"{first}, {second}; run the cohort again"
