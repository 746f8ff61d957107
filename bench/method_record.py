"""Records of methods - what they are, and what a step of theirs costs - and the methods page, rendered from them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from bench.record import StrictRecord, read_record
from bench.table import Table


class StepCost(StrictRecord):
    """What a step of a method took beside a step of ``scratch``, in one run on one machine.

    Attributes:
        network: The family of student and teachers.
        teacher: Their size preset.
        student: The student's size preset.
        batch: Crops of a step.
        crop_size: Their side, in pixels.
        ratio: Median over the rounds of the step's time over that of ``scratch`` in the same round; the method trains
            alone, so that the teachers' forward passes are all its own.
        num_rounds: Rounds that were timed.
        adapter_params: Parameters that are trained beside the student's.
        state_elements: Numbers that it keeps beside trained parameters, such as a codebook or a copy of the student.
        threads: CPU threads of PyTorch.
        device: The processor's name.
        torch: The version of PyTorch.
    """

    network: str
    teacher: str
    student: str
    batch: int
    crop_size: int
    ratio: float
    num_rounds: int
    adapter_params: int
    state_elements: int
    threads: int
    device: str
    torch: str


class MethodRecord(StrictRecord):
    """A method in words, and its costs.

    Attributes:
        idea: From the class's docstring.
        terms: One text for every term of the loss, likewise.
        roles: The networks that it asks.
        control: The method whose run with an oracle is its control; empty where that is ``scratch``.
        settings: Its hyper-parameters and their defaults, the shared restoration loss left out.
        costs: For each pair of networks that was measured.
    """

    kind: Literal["method"] = "method"
    version: Literal[1] = 1
    name: str
    title: str
    authors: str
    venue: str
    year: int
    url: str
    code_url: str
    deviations: str
    idea: str
    terms: tuple[str, ...]
    roles: tuple[str, ...]
    control: str
    settings: dict[str, str | float | int | bool | None]
    costs: tuple[StepCost, ...] = ()

    @property
    def weighs_restoration_otherwise(self) -> bool:
        """Whether the restoration term is the restoration loss times something, by the words of its terms."""
        return any(term.startswith("`restoration`") and not term.endswith(", weight 1.") for term in self.terms)


def record_path(results: Path, name: str) -> Path:
    """Where the record of a method is kept in a results folder."""
    return results / "methods" / f"{name}.json"


def read_method(path: Path) -> MethodRecord:
    """Reads the record of a method.

    Raises:
        ValueError: The file is not a valid record; the message names it and what is wrong.
    """
    return read_record(path, MethodRecord)


def read_methods(results: Path) -> list[MethodRecord]:
    """All method records of a results folder: those without a teacher first, then by year."""
    records = map(read_method, sorted((results / "methods").glob("*.json")))
    return sorted(records, key=lambda record: (bool(record.roles), record.year, record.name))


def methods_page(records: Sequence[MethodRecord]) -> str:
    """The methods as Markdown: a table of all of them, then each in words."""
    return method_table(records).markdown() + "\n" + "\n".join("\n".join(_section(record)) for record in records)


def method_table(records: Sequence[MethodRecord]) -> Table:
    """The methods beside each other: where they were published, whom they ask, what a step costs."""
    pairs = list(dict.fromkeys(_pair(cost) for record in records for cost in record.costs))
    rows = []
    for record in records:
        costs = {_pair(cost): cost for cost in record.costs}
        cells = [cell for pair in pairs for cell in _cost_cells(costs.get(pair))]
        published = f"{record.venue} {record.year}".strip() if record.venue else "-"
        roles = ", ".join(record.roles) or "-"
        control = f"`{record.control}@oracle`" if record.control else "`scratch`" if record.roles else "-"
        rows.append((f"[`{record.name}`](#{record.name})", published, roles, control, *cells))
    columns = [
        title for number in range(1, len(pairs) + 1) for title in (f"step [{number}]", f"extra params [{number}]")
    ]
    header = ("method", "published", "asks", "control", *columns)
    return Table("Methods", header, tuple(rows), tuple(_notes(records)))


def _pair(cost: StepCost) -> str:
    sizes = f"{cost.network}: teachers {cost.teacher}, student {cost.student}"
    return f"{sizes}; batches of {cost.batch} crops of {cost.crop_size}x{cost.crop_size}"


def _cost_cells(cost: StepCost | None) -> tuple[str, str]:
    if cost is None:
        return "-", "-"
    state = f" (+ {_count(cost.state_elements)} state)" if cost.state_elements else ""
    return f"{cost.ratio:.2f}", f"{_count(cost.adapter_params)}{state}"


def _count(number: int) -> str:
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number / 1e3:.1f} k" if number else "0"


def _notes(records: Sequence[MethodRecord]) -> Iterator[str]:
    yield (
        "step: time of a training step, alone and with the teachers' forward passes, over that of `scratch`; medians "
        "of one run in which the methods take turns. In a cohort the methods share those passes. extra params: trained "
        "beside the student, and gone after training; state: what else it keeps, such as a copy of the student."
    )
    ways: dict[str, dict[str, None]] = {}
    for cost in (cost for record in records for cost in record.costs):
        way = f"CPU threads: {cost.threads}, {cost.device}, PyTorch {cost.torch}, rounds: {cost.num_rounds}"
        ways.setdefault(_pair(cost), {})[way] = None
    for number, (pair, found) in enumerate(ways.items(), start=1):
        yield f"[{number}] {pair}; {'; '.join(found)}"


def _section(record: MethodRecord) -> Iterator[str]:
    yield f"### {record.name}\n"
    if record.venue:
        code = f", [code]({record.code_url})" if record.code_url else ""
        yield f"{record.authors}, [{record.title}]({record.url}), {record.venue} {record.year}{code}.\n"
    else:
        yield f"{record.title}.\n"
    yield f"{record.idea}\n"
    yield from (f"- {term}" for term in record.terms)
    if record.settings:
        values = ", ".join(f"`{name}` {_value(value)}" for name, value in record.settings.items())
        yield f"\nDefaults: {values}."
    if record.deviations:
        yield f"\nDeviations: {record.deviations}"
    yield ""


def _value(value: str | float | int | bool | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
