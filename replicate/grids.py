"""Tables of texts, in a terminal and as Markdown: the one place that lays out columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from rich.table import Table

# Printed where there is no number.
MISSING = "–"


def terminal(
    titles: Sequence[str], lines: Sequence[Sequence[str]], width: int, left: int = 1, title: str = ""
) -> Table:
    """Return a table for ``rich`` that fits a terminal of ``width`` columns, if it can.

    Cells of the first ``left`` columns are words; they and the titles wrap between words. Numbers never wrap.
    """
    from rich import box
    from rich.table import Table

    texts = list(zip(titles, *lines, strict=True))
    least = [
        max(_longest_word(text) if not row or i < left else cell_len(text) for row, text in enumerate(column))
        for i, column in enumerate(texts)
    ]
    most = [max(map(cell_len, column)) for column in texts]
    # Each column has a space on either side and a divider, and the table a margin; a narrow one has less.
    narrow = sum(most) + 3 * len(most) + 1 > width
    frame = (2 if narrow else 3) * len(most) + 1
    widths = _widths(least, most, width - frame - sum(least), left)
    grid = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1) if narrow else (0, 1),
        width=frame + sum(widths),  # else rich would cut the cells of a table that is too wide
    )
    for i, (header, size) in enumerate(zip(titles, widths, strict=True)):
        grid.add_column(header, justify="left" if i < left else "right", width=size)
    for line in lines:
        grid.add_row(*line)
    return grid


def _widths(least: Sequence[int], most: Sequence[int], spare: int, left: int) -> list[int]:
    """Return widths of columns: what is spare goes to the words first, then to titles, always to the narrowest."""
    widths = list(least)
    for group in (range(left), range(left, len(widths))):
        while spare > 0 and (growing := [i for i in group if widths[i] < most[i]]):
            widths[min(growing, key=widths.__getitem__)] += 1
            spare -= 1
    return widths


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


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
