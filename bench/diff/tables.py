"""A comparison in tables, and in the lines that a console shows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from bench.diff.comparison import Comparison
from bench.diff.moves import LEVEL, Move, Verdict, where
from bench.diff.turns import Turn
from bench.table import LOWER_IS_BETTER, METRIC_TITLES, Table, number

MOST_LINES = 10
"""Of one kind on the console; the tables have all."""
TURNS = (
    "Which of two students is above, by the groups of either ranking. A difference that is sure on one side alone need "
    "not have changed: only what moved by more than noise did."
)


def tables(comparison: Comparison) -> list[Table]:
    """The counts, and all that is not the same; tables that would be empty are left out."""
    score = ("metric", "there", "here", "difference", "over", "verdict")
    means, rows = ([tuple(_cells(move)) for move in _moved(moves)] for moves in (comparison.means, comparison.rows))
    counts = [(text, f"{count}") for text, count in _counts(comparison)]
    turned = [(f"{turn.network}, {where(turn.columns)}", *_turned(turn)) for turn in comparison.turned]
    changes = [(change, f"{count}") for change, count in comparison.changes.items()]
    lone = [(str(place), side, ", ".join(map(str, seeds))) for (side, place), seeds in comparison.lone.items()]
    not_compared = tuple(f"Not compared: {reason}." for reason in comparison.unlike)
    found = (
        Table(_title(comparison), ("", "count"), tuple(counts), not_compared),
        Table("What moved in the mean", ("students", *score), tuple(means), tuple(_notes(comparison.means))),
        Table("What moved", ("row", *score), tuple(rows), tuple(_notes(comparison.rows))),
        Table("Conclusions that turned", ("ranking", "pair", "there", "here"), tuple(turned), (TURNS,)),
        Table("What was made differently", ("as records call it", "records"), tuple(changes), ()),
        Table("What one side alone has", ("row", "side", "seeds"), tuple(lone), ()),
    )
    return [table for table in found if table.rows]


def lines(comparison: Comparison) -> Iterator[str]:
    """What a console shows: the counts, and the first of what matters."""
    yield _title(comparison)
    yield from (f"{count:6} {text}" for text, count in _counts(comparison))
    moved = [move for moves in (comparison.means, comparison.rows) for move in _moved(moves)]
    kinds = {
        "moved": [_line(move) for move in moved if move.verdict != "within noise"],
        "turned": [f"{turn.network}, {where(turn.columns)}: {', '.join(_turned(turn))}" for turn in comparison.turned],
        "made differently": [f"{change}, records: {count}" for change, count in comparison.changes.items()],
        "not compared": comparison.unlike,
    }
    for kind, texts in kinds.items():
        yield from (f"{kind}: {text}" for text in texts[:MOST_LINES])
        if len(texts) > MOST_LINES:
            yield f"{kind}: {len(texts) - MOST_LINES} more"


def _title(comparison: Comparison) -> str:
    return f"{comparison.here} (here) beside {comparison.there} (there)"


def _counts(comparison: Comparison) -> Iterator[tuple[str, int]]:
    yield from ((f"records of both: {state}", count) for state, count in sorted(comparison.cells.items()))
    lone = Counter(side for (side, _), seeds in comparison.lone.items() for _ in seeds)
    yield from ((f"records only {side}", count) for side, count in sorted(lone.items()))
    for what, moves in {"rows by metrics": comparison.rows, "means of students": comparison.means}.items():
        verdicts = Counter(_verdict(move.verdict) for move in moves)
        yield from ((f"{what}: {verdict}", count) for verdict, count in sorted(verdicts.items()))


def _moved(moves: Iterable[Move]) -> list[Move]:
    """What moved, what is more than noise first."""
    order = ("more than noise", "noise unknown", "within noise")
    return sorted((move for move in moves if move.verdict in order), key=lambda move: order.index(move.verdict))


def _cells(move: Move) -> Iterator[str]:
    """A row of a table of what moved."""
    mean, half_width, *_ = move.difference
    verdict = "better" if (mean < 0) == (move.metric in LOWER_IS_BETTER) else "worse"
    yield str(move.place)
    yield METRIC_TITLES.get(move.metric, move.metric)
    yield number(move.there, move.metric)
    yield number(move.here, move.metric)
    yield f"{mean:+.3g}" + ("" if half_width is None else f" ± {half_width:.2g}")
    yield move.basis
    yield _verdict(move.verdict) + (f", {verdict}" if move.verdict == "more than noise" else "")


def _line(move: Move) -> str:
    row, metric, there, here, difference, basis, verdict = _cells(move)
    return f"{row}, {metric}: {there} there, {here} here, {difference} ({basis}): {verdict}"


def _verdict(verdict: Verdict) -> str:
    return verdict if verdict == "same" else f"moved, {verdict}"


def _turned(turn: Turn) -> tuple[str, str, str]:
    says = {1: "above", 0: "not told apart", -1: "below"}
    return f"`{turn.first}` and `{turn.second}`", f"{says[turn.there]} there", f"{says[turn.here]} here"


def _notes(moves: Sequence[Move]) -> Iterator[str]:
    """How it was tested, and how many would have passed alone."""
    p_values = [move.difference.p_value for move in moves if move.difference.p_value is not None]
    if p_values:
        alone = sum(p_value < LEVEL for p_value in p_values)
        yield (
            "difference: here less there, ± half the width of the 95 % t interval over the seeds, on these images; "
            "seeds are paired where they began with the same weights and saw the same images. More than noise: at the "
            f"{LEVEL:.1%} level after Holm's correction for all {len(p_values)} tests of this table, however small it "
            f"is. Without the correction, {alone} would be; where there is nothing but noise, "
            f"{LEVEL * len(p_values):.1f} are to be expected."
        )
    if any(move.verdict == "noise unknown" for move in moves):
        yield (
            "Noise unknown: there is one seed. ± is half the width of the 95 % interval for other images, where there "
            "are values per image; what another seed would give may be more than the difference."
        )
