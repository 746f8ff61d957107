"""The tables of scores: an overview of a network family, and a table for each of its tasks."""

from collections.abc import Iterable, Mapping, Sequence

from bench.family import Family
from bench.method_record import MethodRecord
from bench.page.elsewhere import reported_rows
from bench.page.numbers import Numbers
from bench.page.sheet import Group, Heading, Number, Row, Sheet, by_first_column
from bench.page.trace import on
from bench.page.words import PINNED, base_of, kind_of
from bench.published import PublishedTable
from bench.ranking import METRIC
from bench.scoreboard import Column, Scoreboard
from bench.table import LOWER_IS_BETTER, METRIC_TITLES
from bench.tables import result_table

COSTS = Group("network", (Heading("params (M)", "params_m"), Heading("MACs (G)", "macs_g")))
RANKED = (
    Heading("groups", "groups", "higher"),
    Heading("over scratch (dB)", "over", "higher"),
    Heading("gap recovered", "gap", "higher"),
)
Methods = Mapping[str, MethodRecord]
Cells = Mapping[str, tuple[Number, ...]]


def score_sheets(numbers: Numbers, methods: Methods, published: Sequence[PublishedTable]) -> list[Sheet]:
    """The overview, where there are several test sets to look over, and a table for each task.

    Args:
        numbers: Of the family.
        methods: The records of methods, by name.
        published: What others print.
    """
    columns = [column for column in numbers.board.columns if METRIC in numbers.board.metrics[column]]
    tasks: dict[str, list[Column]] = {}
    for column in numbers.board.columns:
        tasks.setdefault(column.task, []).append(column)
    overview = [_overview(numbers, methods, columns)] if len(columns) > 1 else []
    sheets = (_of_task(numbers, methods, task, of_task) for task, of_task in tasks.items())
    beside = (reported_rows(published, numbers, of_task) for of_task in tasks.values())
    return [*overview, *(sheet._replace(elsewhere=rows) for sheet, rows in zip(sheets, beside, strict=True))]


def family_notes(family: Family) -> list[str]:
    """The notes of the table of results, but for those that say otherwise what the page says of every number."""
    signatures = {signature for record in family.records.values() for signature in record.signatures.values()}
    said = ("Students: ", *(f"`{signature}`" for signature in signatures))
    return [note for note in result_table(family).notes if not any(text in note for text in said)]


def _overview(numbers: Numbers, methods: Methods, columns: Sequence[Column]) -> Sheet:
    """PSNR on every test set and in their mean."""
    groups = (
        Group(on(columns), (Heading("PSNR (dB)", METRIC, "higher"), *RANKED)),
        Group(
            "PSNR (dB) on",
            tuple(Heading(_title(column, columns), METRIC, "higher") for column in columns),
        ),
        COSTS,
    )
    cells = {
        label: (
            numbers.score(label, columns, METRIC),
            *numbers.ranked(label, columns),
            *(numbers.score(label, [column], METRIC) for column in columns),
            *numbers.costs(label),
        )
        for label in numbers.board.labels
    }
    notes = numbers.rankings[tuple(columns)].notes if tuple(columns) in numbers.rankings else ()
    return _sheet(numbers, methods, "overview", groups, cells, notes)


def _title(column: Column, columns: Sequence[Column]) -> str:
    """The name of a test set, with its task where two tasks share it."""
    is_shared = sum(other.test_set == column.test_set for other in columns) > 1
    return f"{column.task}: {column.test_set}" if is_shared else column.test_set


def _of_task(numbers: Numbers, methods: Methods, task: str, columns: Sequence[Column]) -> Sheet:
    """All metrics on the test sets of a task."""
    groups = [*(Group(column.test_set, _headings(numbers.board, column)) for column in columns), COSTS]
    cells = {
        label: (
            *(
                cell
                for column in columns
                for cell in (
                    *(numbers.score(label, [column], metric) for metric in numbers.board.metrics[column]),
                    *numbers.ranked(label, [column]),
                )
            ),
            *numbers.costs(label),
        )
        for label in numbers.board.labels
    }
    notes = [
        f"{column.test_set}: {note}"
        for column in columns
        if (column,) in numbers.rankings
        for note in numbers.rankings[column,].notes
    ]
    return _sheet(numbers, methods, task, groups, cells, notes)


def _headings(board: Scoreboard, column: Column) -> tuple[Heading, ...]:
    return (
        *(
            Heading(METRIC_TITLES.get(key, key), key, "lower" if key in LOWER_IS_BETTER else "higher")
            for key in board.metrics[column]
        ),
        *RANKED,
    )


def _sheet(
    numbers: Numbers, methods: Methods, name: str, groups: Sequence[Group], cells: Cells, notes: Iterable[str]
) -> Sheet:
    """A table out of its cells, sorted by the first column."""
    headings = [heading for group in groups for heading in group.headings]
    told = {label: row for label, row in cells.items() if any(map(_tells, row, headings))}
    rows = [row_of(label, numbers.board, methods, row) for label, row in told.items()]
    measured = by_first_column([row for row in rows if row.label not in PINNED], headings[0].better)
    pinned = tuple(row for row in rows if row.label in PINNED)
    network = numbers.board.network
    title = f"{network}: {name}"
    return Sheet(f"{network}-{name}", title, tuple(groups), pinned, measured, notes=tuple(notes), is_sorted=True)


def _tells(number: Number, heading: Heading) -> bool:
    """Whether a cell says something of a row that its network does not."""
    return heading not in COSTS.headings and (number.value is not None or bool(number.note))


def row_of(label: str, board: Scoreboard, methods: Methods, cells: Sequence[Number]) -> Row:
    """A row, with the method that it is of: its own, or the one that it is an ablation or a control of."""
    own = label.partition("@")[0]
    method = own if own in methods else base_of(own, methods)
    deviates = method in methods and bool(methods[method].deviations)
    return Row(label, kind_of(label, board.methods, methods), tuple(cells), method, deviates)
