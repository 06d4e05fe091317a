"""Tables of texts, in a terminal and as Markdown: the one place that lays out columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def terminal(
    titles: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1, title: str = "", wrap: bool = True
) -> Table:
    """Return a table for ``rich``: the first ``left`` columns are words and may ``wrap``, numbers never do."""
    from rich import box
    from rich.table import Table

    grid = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for i, (header, *cells) in enumerate(zip(titles, *lines, strict=True)):
        width = None if wrap and i < left else max(map(len, cells), default=0)
        grid.add_column(header, justify="left" if i < left else "right", min_width=width)
    for line in lines:
        grid.add_row(*line)
    return grid


def markdown(titles: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a Markdown table whose first ``left`` columns are words and the others numbers."""
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    rule = "|" + "---|" * left + "---:|" * (len(titles) - left)
    return [f"| {' | '.join(titles)} |", rule, *(f"| {' | '.join(line)} |" for line in escaped)]


def columns(lines: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Return lines of plain text whose columns are two spaces apart; the columns of ``right`` are right-aligned.

    Nothing is cut or wrapped, whatever the width of the terminal.
    """
    numbers = set(right)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        pairs = enumerate(zip(cells, widths, strict=True))
        return "  ".join(cell.rjust(w) if i in numbers else cell.ljust(w) for i, (cell, w) in pairs).rstrip()

    return [line(cells) for cells in lines]
