"""The tables of what methods and the parts of a method gain."""

from collections.abc import Iterator, Sequence

from bench.effects import Effects, find_effects
from bench.page.numbers import INTERVAL, ONE_SEED, PLUS_MINUS, Numbers
from bench.page.scores import Methods, row_of
from bench.page.sheet import Group, Heading, Number, Sheet, by_first_column
from bench.page.trace import on
from bench.page.words import base_of, kind_of
from bench.ranking import METRIC
from bench.record import TEACHER_ROWS
from bench.scoreboard import Column
from bench.stats import Difference, paired_difference

PARTS = (
    Heading("gain (dB)", "over", "higher"),
    Heading("gap", "gap", "higher"),
    Heading("effect (dB)", "effect", "higher"),
)
PAIRED = f"Differences are paired by seed. {INTERVAL} No correction is made for how many they are."
SAYS = (
    "The gain: the mean difference to `scratch` in PSNR, paired by seed.",
    "The gap recovered: the gain as a share of the removal teacher's.",
    "The distillation effect: the mean difference in PSNR to the method's control, paired by seed.",
)


def effect_sheets(numbers: Numbers, methods: Methods) -> list[Sheet]:
    """What every method gains and how much of it a teacher gave, and what the parts of a method are worth."""
    return [*_effects(numbers, methods), *_ablations(numbers, methods)]


def _effects(numbers: Numbers, methods: Methods) -> Iterator[Sheet]:
    """The table of effects, the mean of the test sets first."""
    found = find_effects(numbers.board)
    if found is None:
        return
    *others, last = found.parts
    parts = (last, *others)
    rows = [
        row_of(
            label,
            numbers.board,
            methods,
            tuple(number for part in parts for number in _effect(numbers, label, part, found)),
        )
        for label in found.methods
    ]
    yield Sheet(
        f"{numbers.board.network}-effects",
        f"{numbers.board.network}: gain, gap and distillation effect",
        tuple(Group(on(part), PARTS) for part in parts),
        (),
        by_first_column(rows, "higher"),
        notes=found.notes,
        is_sorted=True,
    )


def _effect(numbers: Numbers, label: str, part: tuple[Column, ...], found: Effects) -> Iterator[Number]:
    """The three numbers of a method on some test sets."""
    effect = found.cells.get((label, part))
    if effect is None:
        yield from (Number() for _ in PARTS)
        return
    gain, gap, of_teacher = SAYS
    yield _difference(numbers, effect.gain, (label, "scratch"), part, gain, effect.gain in found.sure)
    if effect.gap is None:
        yield Number()
    else:
        text, behind = f"{100 * effect.gap:.0f} %", (label, "scratch", TEACHER_ROWS["removal"])
        yield Number(text, "", 100 * effect.gap, entry=numbers.behind(behind, part, text, (gap,)))
    if effect.effect is None:
        yield Number()
    else:
        rows = (label, found.controls[label])
        yield _difference(numbers, effect.effect, rows, part, of_teacher, effect.effect in found.sure)


def _difference(
    numbers: Numbers,
    difference: Difference,
    rows: Sequence[str],
    columns: Sequence[Column],
    says: str,
    is_sure: bool = False,
) -> Number:
    """A difference with its interval, and a star where it is sure."""
    text = f"{difference.mean:+.2f}"
    spread = "" if difference.half_width is None else f"{PLUS_MINUS} {difference.half_width:.2f}{' *' * is_sure}"
    entry = numbers.behind(rows, columns, f"{text} {spread} dB", (says, INTERVAL if spread else ONE_SEED))
    return Number(text, spread, difference.mean, entry=entry)


def _ablations(numbers: Numbers, methods: Methods) -> Iterator[Sheet]:
    """Every method that has ablations beside these: what changes where a part is left out or replaced."""
    board = numbers.board
    columns = [column for column in board.columns if METRIC in board.metrics[column]]
    bases: dict[str, list[str]] = {}
    for label in board.methods:
        if kind_of(label, board.methods, methods) == "ablation":
            bases.setdefault(base_of(label, board.methods), []).append(label)
    for base, labels in bases.items():
        rows = [
            row_of(label, board, methods, tuple(_ablation(numbers, label, base, columns)))
            for label in ("scratch", base, *labels)
            if label in board.methods
        ]
        title = methods[base].title if base in methods else ""
        yield Sheet(
            f"{board.network}-ablation-{base}",
            f"{board.network}: ablations of {base}",
            tuple(_ablation_groups(base, columns)),
            (),
            by_first_column(rows, "higher"),
            notes=(PAIRED, *dict.fromkeys(_descriptions(numbers, labels, title))),
            is_sorted=True,
        )


def _ablation(numbers: Numbers, label: str, base: str, columns: Sequence[Column]) -> Iterator[Number]:
    """A row of a table of ablations."""
    yield numbers.score(label, columns, METRIC)
    for other in ("scratch", base):
        yield _over(numbers, label, other, columns)
    for column in columns if len(columns) > 1 else ():
        yield _over(numbers, label, base, [column])


def _ablation_groups(base: str, columns: Sequence[Column]) -> Iterator[Group]:
    """Its columns."""
    over = f"over {base} (dB)"
    headings = {"PSNR (dB)": METRIC, "over scratch (dB)": "over", over: "effect"}
    yield Group(on(columns), tuple(Heading(title, kind, "higher") for title, kind in headings.items()))
    if len(columns) > 1:
        yield Group(f"{over} on", tuple(Heading(column.test_set, "effect", "higher") for column in columns))


def _over(numbers: Numbers, first: str, second: str, columns: Sequence[Column]) -> Number:
    """How far a row is above another in PSNR, paired by seed."""
    ours, theirs = (numbers.board.seeds(label, columns, METRIC) for label in (first, second))
    seeds = [seed for seed in ours if seed in theirs]
    if first == second or not seeds:
        return Number()
    difference = paired_difference([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds])
    says = f"The mean difference to `{second}` in PSNR, paired by seed."
    return _difference(numbers, difference, (first, second), columns, says)


def _descriptions(numbers: Numbers, labels: Sequence[str], title: str) -> Iterator[str]:
    """What each ablation is, as its records say after the title of the method."""
    for record in numbers.board.records:
        if record.label in labels and "title" in record.reference:
            yield f"`{record.label}`: {str(record.reference['title']).removeprefix(f'{title}: ')}"
