"""What the page begins with: what was measured, and what can be concluded from it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from bench.family import Family
from bench.page.numbers import Numbers
from bench.record import CellRecord

COMMIT_DIGITS = 12


def facts(families: Sequence[Family]) -> Iterator[tuple[str, str]]:
    """What was measured, by topic."""
    records = [record for family in families for record in family.records.values()]
    students = [record for record in records if record.role == "student" and record.status == "ok"]
    yield "Records", f"{len(records)}, each the scores of one trained network on one test set"
    yield "Networks", ", ".join(family.network for family in families)
    sets: dict[str, dict[str, None]] = {}
    for column in (column for family in families for column in family.board.columns):
        sets.setdefault(column.task, {})[column.test_set] = None
    yield "Test sets", "; ".join(f"{task}: {', '.join(of_task)}" for task, of_task in sets.items())
    yield "Methods", f"{len({record.label for record in students})}, references, ablations and controls included"
    seeds = sorted({record.seed for record in students})
    yield "Seeds", f"{len(seeds)} ({', '.join(map(str, seeds))})"
    yield "Training", f"{_slashed(record.steps for record in students)} steps"
    yield "Images", f"{_slashed(record.num_images for record in students)} in a test set"
    yield "Code", "; ".join(f"{commit} ({count} records)" for commit, count in _commits(records).most_common())


def lede(families: Sequence[Family]) -> str:
    """The page in a sentence or two."""
    students = [record for family in families for record in family.records.values() if record.role == "student"]
    rows, networks = {record.label for record in students}, [family.network for family in families]
    seeds, sets = {record.seed for record in students}, {(record.task, record.test_set) for record in students}
    return (
        f"{len(rows)} ways to train a student of {' and '.join(networks)} on {len(sets)} test set{_s(sets)}, "
        f"{len(seeds)} seed{_s(seeds)} each. Within a seed, what is compared begins with the same weights, sees the "
        "same batches and asks the same teachers, for as many steps where no note says otherwise."
    )


def conclusions(numbers: Numbers) -> Iterator[str]:
    """What can be said of the students of a family, and what cannot."""
    board = numbers.board
    ranking = list(numbers.rankings.values())[-1] if numbers.rankings else None
    if ranking is None:
        yield "There are fewer than two students: nothing is compared."
        return
    where = "the mean of the test sets" if len(ranking.columns) > 1 else ranking.columns[0].test_set
    if "scratch" in ranking.compared:
        above = [row.label for row in ranking.rows if (row.label, "scratch") in ranking.apart]
        below = [row.label for row in ranking.rows if ("scratch", row.label) in ranking.apart]
        yield (
            f"In {where}, of {len(ranking.compared) - 1} students {_named(above)} above `scratch` and {_named(below)} "
            "below it, beyond what seeds explain; the others cannot be told apart from it."
        )
    yield from ranking.notes[:1]
    steps = _slashed(board.usual_steps.values())
    images = _slashed(record.num_images for record in board.records if record.num_images)
    yield (
        f"All of this holds for students of {steps} training steps and test sets of {images} images. Longer training, "
        "other networks or other images may rank the methods otherwise."
    )


def _s(things: Collection[object]) -> str:
    return "" if len(things) == 1 else "s"


def _named(labels: Sequence[str]) -> str:
    names = ", ".join(f"`{label}`" for label in labels)
    return f"{len(labels)} stand{'s' if len(labels) == 1 else ''}{f' ({names})' if names else ''}"


def _slashed(numbers: Iterable[int]) -> str:
    return "/".join(f"{number:,}" for number in sorted(set(numbers)))


def _commits(records: Iterable[CellRecord]) -> Counter[str]:
    """The commits that records were made from."""
    return Counter(_commit(record) for record in records)


def _commit(record: CellRecord) -> str:
    about = record.run.provenance
    if not about.get("commit"):
        return "an unknown commit"
    changed = " with changes that were not committed" if about.get("is_dirty") else ""
    return f"{about['commit'][:COMMIT_DIGITS]}{changed}"
