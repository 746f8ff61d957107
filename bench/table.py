"""What every table is made of: how metrics are called and printed, Markdown and LaTeX."""

from collections.abc import Iterable
from dataclasses import dataclass

METRIC_TITLES = {
    "psnr_db": "PSNR",
    "ssim": "SSIM",
    "ssim_volume": "SSIM (volume)",
    "gmsd": "GMSD",
    "brisque": "BRISQUE",
    "piqe": "PIQE",
    "niqe": "NIQE",
}
LOWER_IS_BETTER = {"gmsd", "brisque", "piqe", "niqe"}


@dataclass(frozen=True)
class Table:
    """A table ready to be printed.

    Attributes:
        title: What it shows.
        header: The column titles.
        rows: The cells, as Markdown; ``**best**`` and ``<u>second</u>`` are marked.
        notes: What a reader must know beside the numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """The table for GitHub."""
        rule = ("---", *("---:" for _ in self.header[1:]))
        body = "\n".join(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows))
        return f"**{self.title}**\n\n{body}\n\n" + "".join(f"- {note}\n" for note in self.notes)

    def latex(self) -> str:
        """The table for a paper that uses ``booktabs``."""
        head, *rows = (" & ".join(map(_latex, row)) + r" \\" for row in (self.header, *self.rows))
        lines = [f"% {text}" for text in (self.title, *self.notes)]
        lines += [rf"\begin{{tabular}}{{l{'r' * len(self.header[1:])}}}", r"\toprule", head, r"\midrule", *rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def in_order(metrics: Iterable[str]) -> list[str]:
    """PSNR first, then as the titles are listed; metrics without a title behind."""
    known = list(METRIC_TITLES)
    return sorted(metrics, key=lambda metric: (known.index(metric) if metric in known else len(known), metric))


def number(value: float, metric: str) -> str:
    """A score as it is printed: two digits of a decibel, four of a measure in [0, 1]."""
    return f"{value:.2f}" if metric.startswith("psnr") else f"{value:.4f}"


def _latex(cell: str) -> str:
    """A Markdown cell in LaTeX."""
    marks = {"%": r"\%", "_": r"\_", "±": r"$\pm$", "</u>": "}", "<u>": r"\underline{"}
    for markdown, latex in marks.items():
        cell = cell.replace(markdown, latex)
    opening, *rest = cell.split("**")
    return opening + "".join(r"\textbf{" + part if i % 2 == 0 else "}" + part for i, part in enumerate(rest))
