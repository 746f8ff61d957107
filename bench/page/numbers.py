"""The numbers of a network family as cells of tables."""

from collections.abc import Iterator, Sequence
from typing import Literal

from bench.metrics.signature import explain
from bench.page.sheet import Number
from bench.page.trace import Trace
from bench.ranking import METRIC, Ranked, Ranking
from bench.record import TEACHER_ROWS
from bench.scoreboard import INPUT_ROW, Column
from bench.stats import Mean, mean_interval
from bench.table import METRIC_TITLES, number

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
INTERVAL = f"{PLUS_MINUS}: half the width of the 95 % t interval over the seeds."
ONE_SEED = "One seed: the spread between seeds is unknown."
OVER = (
    "The mean difference to `scratch` in PSNR, from the seeds that both have.",
    f"{PLUS_MINUS}: half the width of the 95 % interval for other seeds and other images; with one seed, for other "
    "images alone.",
)
GAP = (
    "The share of the removal teacher's lead over `scratch` in PSNR that the method gives the student.",
    "In brackets: Fieller's 95 % interval over the seeds, where it has bounds.",
)
COUNTS = {
    "params_m": "Parameters of the network, in millions.",
    "macs_g": "Multiply-accumulates of the modules, in 10^9: the count that papers print as FLOPs.",
}


class Numbers:
    """Makes the cells of one network family, whose students can be compared.

    Attributes:
        board: The family's mean scores.
        rankings: Its rankings, by columns.
        signatures: The definitions of the metrics, by column.
        trace: What stands behind the numbers.
    """

    def __init__(self, trace: Trace) -> None:
        family = trace.family
        self.trace = trace
        self.board = family.board
        self.rankings: dict[tuple[Column, ...], Ranking] = {ranking.columns: ranking for ranking in family.rankings}
        self._ranked = {(columns, row.label): row for columns, r in self.rankings.items() for row in r.rows}
        self._cost_of = family.cost_of
        records = [record for record in family.records.values() if record.status == "ok"]
        skipped = [record for record in family.records.values() if record.status == "skipped"]
        self._skipped = {(r.label, Column(r.task, r.test_set)): f"`{r.label}`: {r.reason}" for r in skipped}
        self._inputs = {Column(record.task, record.test_set): record.input_metrics for record in records}
        self.signatures = {Column(r.task, r.test_set): r.signatures for r in records}

    def score(self, label: str, columns: Sequence[Column], metric: str) -> Number:
        """The mean of a metric over the seeds; over test sets too where there are several columns."""
        seeds = self.board.seeds(label, columns, metric)
        mean = mean_interval(list(seeds.values())) if seeds else self._input(label, columns, metric)
        if mean is None:
            reasons = (self._skipped[label, column] for column in columns if (label, column) in self._skipped)
            return Number(note="; ".join(dict.fromkeys(reasons)))
        text, spread = number(mean.value, metric), _spread(mean.half_width, metric)
        printed = f"{text} {spread}{' dB' if metric == METRIC else ''}"
        definition = self._definition(columns, metric)
        if label in self.board.methods:
            definition = (*definition, ONE_SEED if mean.half_width is None else INTERVAL)
        entry = self.trace.of_scores(label, printed, definition, {label: seeds}, columns)
        return Number(text, spread, mean.value, self._mark(label, columns, metric), entry)

    def ranked(self, label: str, columns: Sequence[Column]) -> tuple[Number, Number, Number]:
        """The groups of a row, its lead over the student alone, and the gap that it recovers; groups sort by PSNR."""
        row = self._ranked.get((tuple(columns), label))
        if row is None:
            return Number(), Number(), Number()
        return self._groups(row, columns), self._over(row, columns), self._gap(row, columns)

    def costs(self, label: str) -> Iterator[Number]:
        """Parameters and multiply-accumulates of a row's network."""
        cost = self._cost_of.get(label)
        for key, definition in COUNTS.items():
            value = getattr(cost, key) if cost else None
            if cost is None or value is None:
                yield Number()
            else:
                text = f"{value:.3f}"
                yield Number(text, value=value, entry=self.trace.of_cost(cost.size, text, definition))

    def behind(self, rows: Sequence[str], columns: Sequence[Column], text: str, definition: Sequence[str]) -> int:
        """The entry of a number that is made from the PSNR of some rows; the first is that in which it stands."""
        seeds = {row: self.board.seeds(row, columns, METRIC) for row in rows}
        return self.trace.of_scores(rows[0], text, definition, seeds, columns)

    def _input(self, label: str, columns: Sequence[Column], metric: str) -> Mean | None:
        """The score of the degraded images, which have no seed."""
        values = [self._inputs.get(column, {}).get(metric) for column in columns]
        known = [value for value in values if value is not None]
        return Mean(sum(known) / len(known), None) if label == INPUT_ROW and len(known) == len(values) else None

    def _definition(self, columns: Sequence[Column], metric: str) -> tuple[str, ...]:
        """What a score is: the fields of its signature in words."""
        if len(columns) > 1:
            return (f"The mean of {METRIC_TITLES.get(metric, metric)} over {len(columns)} test sets, seed by seed.",)
        return explained(self.signatures[columns[0]][metric])

    def _mark(self, label: str, columns: Sequence[Column], metric: str) -> Literal["", "best", "second"]:
        """Whether a score is the best or the second best, as in the tables of results."""
        if len(columns) > 1:
            rows = self.rankings[tuple(columns)].rows if tuple(columns) in self.rankings else ()
            first = [row.label for row in rows if row.label not in self.board.other_steps][:2]
            return ("best", "second")[first.index(label)] if label in first else ""
        return self.board.mark(label, columns[0], metric)

    def _groups(self, row: Ranked, columns: Sequence[Column]) -> Number:
        ranking = self.rankings[tuple(columns)]
        if not (told := ranking.told(row)):
            return Number()
        entry = self.behind((row.label,), columns, f"groups {told}" if row.groups else told, ranking.notes)
        return Number(told, value=row.psnr.value, entry=entry)

    def _over(self, row: Ranked, columns: Sequence[Column]) -> Number:
        if row.over is None:
            return Number()
        text, spread = f"{row.over.value:+.2f}", _spread(row.over.half_width, METRIC)
        entry = self.behind((row.label, "scratch"), columns, f"{text} {spread} dB", OVER)
        return Number(text, spread, row.over.value, entry=entry)

    def _gap(self, row: Ranked, columns: Sequence[Column]) -> Number:
        if row.gap is None:
            return Number()
        value, low, high = row.gap
        text = f"{100 * value:.0f} %"
        spread = "" if low is None or high is None else f"[{100 * low:.0f}, {100 * high:.0f}]"
        rows = (row.label, "scratch", TEACHER_ROWS["removal"])
        return Number(text, spread, value, entry=self.behind(rows, columns, f"{text} {spread}", GAP))


def explained(signature: str) -> tuple[str, ...]:
    """A signature in words, and itself; only itself where its metric is one of another package."""
    try:
        return (*(f"{line[0].upper()}{line[1:]}." for line in explain(signature)), f"Signature: {signature}")
    except ValueError:
        return (f"Signature: {signature}; what it means, the package says that registers the metric.",)


def _spread(half_width: float | None, metric: str) -> str:
    return "" if half_width is None else f"{PLUS_MINUS} {number(half_width, metric)}"
