"""How much of the teacher's lead every method recovers, and what the project's method gains without its parts."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from matplotlib.ticker import MaxNLocator

from bench.family import Family
from bench.figures.dots import Dot, Panel, Scale, dot_plot
from bench.figures.drawing import NARROW, OURS, WIDE, Drawing, overall, where
from bench.ranking import Ranked, Ranking

Reader = Callable[[Ranked], Dot | None]
"""Takes what is shown from a row; None where there is none."""
LOWEST, HIGHEST = -100.0, 150.0
"""Per cent, between which gaps are drawn."""
GRID = 25.0
"""Per cent, to a multiple of which the axis reaches."""
EDGES = "An arrow at the edge of the axis: the interval goes on, or the value is further out and its number is written."
GAP = (
    "The share of the removal teacher's lead over the student alone that a method gives to the student, {where}, with "
    "Fieller's 95 % interval over the seeds where it has bounds: 0 is the student alone, 100 % the teacher. A ring is "
    "the method's control, the same loss with an oracle in the place of the teachers: what lies between ring and mark "
    "came from a teacher, the rest from the loss's shape. Methods without a ring have the student alone as control."
)
ABLATION = (
    "What {ours} gains over the student alone, and what it gains with parts left out or exchanged, with the 95 % "
    "interval for other seeds and other images; with one seed, for other images alone. {ours}@oracle is the control: "
    "no teacher, the clean image in its place."
)


def draw_gap(family: Family, ranked: Sequence[Ranking]) -> Iterator[Drawing]:
    """The gap recovered, in the mean and on every test set; nothing where the teacher leads nowhere."""
    main = overall(ranked)
    rows = [row.label for row in sorted(main.rows, key=_least_first) if row.gap and not _is_control(row.label)]
    if not rows:
        return
    draw = partial(_draw_gaps, family, rows)
    title = f"{family.network}: the share of the teacher's lead that is recovered"
    yield draw(f"{family.network}_gap", title, [main], f"in the {where(main)}", NARROW)
    single = [ranking for ranking in ranked if len(ranking.columns) == 1 and any(row.gap for row in ranking.rows)]
    if len(main.columns) > 1 and single:
        on = "on every test set where the teacher leads"
        yield draw(f"{family.network}_gap_test_sets", f"{title} on every test set", single, on, WIDE)


def draw_ablation(family: Family, ranked: Sequence[Ranking]) -> Iterator[Drawing]:
    """What the project's method gains, and what it gains without its parts; nothing where these were not run."""
    main = overall(ranked)
    rows = [row.label for row in main.rows if row.label.startswith(OURS) and row.over]
    if not any(row.startswith(f"{OURS}_") for row in rows):
        return
    rankings = [main, *(ranking for ranking in ranked if ranking != main)]
    panels = [_of_controls(_panel(family, ranking, rows, _gain)) for ranking in rankings]
    values = [0.0, *(dot.value for panel in panels for dot in (*panel.methods.values(), *panel.controls.values()))]
    low, high = min(values), max(values)
    room = 0.25 * (high - low or 1.0)
    ticks = MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(low - room, high + room)[1:-1]
    scale = Scale("gain over scratch (dB)", low - room, high + room, (0.0,), list(ticks), "{:+.2f}")
    figure = dot_plot(sorted(rows, key=_is_control), panels, scale, [], WIDE if len(panels) > 1 else NARROW)
    title = f"{family.network}: {OURS} and its ablations"
    yield Drawing(f"{family.network}_ablation", "ablation", title, f"{ABLATION.format(ours=OURS)} {EDGES}", figure)


def _is_control(label: str) -> bool:
    return "@" in label


def _of_controls(panel: Panel) -> Panel:
    """Gives controls rows of their own."""
    split = [{row: dot for row, dot in panel.methods.items() if _is_control(row) == side} for side in (False, True)]
    return panel._replace(methods=split[0], controls=split[1])


def _least_first(row: Ranked) -> float:
    return -row.gap.value if row.gap else math.inf


def _draw_gaps(
    family: Family, rows: Sequence[str], name: str, title: str, rankings: Sequence[Ranking], on: str, width: float
) -> Drawing:
    panels = [_panel(family, ranking, rows, _gap) for ranking in rankings]
    values = [dot.value for panel in panels for dot in (*panel.methods.values(), *panel.controls.values())]
    low = max(LOWEST, GRID * math.floor(min(-1.0, *values) / GRID))
    high = min(HIGHEST, max(106.0, GRID * math.ceil(max(values) / GRID)))
    ticks = [
        tick for tick in (-100.0, -50.0, 0.0, 50.0, 100.0) if tick >= low and (width == NARROW or tick in (0, 100))
    ]
    scale = Scale("gap recovered (%)", low, high, (0.0, 100.0), ticks, "{:.0f}")
    longer = [row for row in rows if row in family.board.other_steps]
    figure = dot_plot(rows, panels, scale, longer, width)
    note = f" {', '.join(longer)}: trained for more steps." if longer else ""
    return Drawing(name, "gap", title, f"{GAP.format(where=on)}{note} {EDGES}", figure)


def _panel(family: Family, ranking: Ranking, rows: Sequence[str], read: Reader) -> Panel:
    """The rows of one ranking, each with its control."""
    dots = {row.label: dot for row in ranking.rows if (dot := read(row))}
    controls = {record.label: record.control for record in family.board.records}
    of_rows = {row: dots[controls[row]] for row in rows if controls[row] in dots}
    return Panel(where(ranking), {row: dots[row] for row in rows if row in dots}, of_rows)


def _gap(row: Ranked) -> Dot | None:
    """In per cent."""
    if row.gap is None:
        return None
    low, high = (None if end is None else 100 * end for end in row.gap[1:])
    return Dot(100 * row.gap.value, low, high)


def _gain(row: Ranked) -> Dot | None:
    """In dB."""
    if row.over is None:
        return None
    mean, reach = row.over
    return Dot(mean, None if reach is None else mean - reach, None if reach is None else mean + reach)
