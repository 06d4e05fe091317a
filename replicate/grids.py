"""Tables of texts, in a terminal and as Markdown: the one place that lays out columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from replicate.escape import line as one_line
from replicate.escape import markdown as in_markdown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

# Printed where there is no number.
MISSING = "–"


def terminal(
    titles: Sequence[str], lines: Sequence[Sequence[str]], width: int, left: int = 1, title: str = ""
) -> Table:
    """Return a table for ``rich`` that fits a terminal of ``width`` columns, if it can.

    Cells of the first ``left`` columns are words; they and the titles wrap between words. Numbers never wrap.
    """
    titles, lines = _on_lines(titles, lines)
    gap, widths = _layout(titles, lines, width, left)
    return _table(titles, lines, widths, gap, left, title)


def long_terminal(
    titles: Sequence[str], lines: Sequence[Sequence[str]], width: int, left: int = 1, title: str = ""
) -> RenderableType:
    """Return what prints the same as ``terminal``, but fast where no cell wraps: for thousands of rows."""
    titles, lines = _on_lines(titles, lines)
    gap, widths = _layout(titles, lines, width, left)
    if not lines or any(_wraps(cell, size) for line in lines for cell, size in zip(line, widths, strict=True)):
        return _table(titles, lines, widths, gap, left, title)
    sizes = [size if i < left else -size for i, size in enumerate(widths)]
    between, end = " " * gap, " " * (gap - 1) + "\n"
    rows = "".join(f"  {between.join(map(_pad, line, sizes))}{end}" for line in lines)
    return _LongTable(_table(titles, (), widths, gap, left, title), rows)


@dataclass(frozen=True)
class _LongTable:
    """A table without rows, and the text of the rows."""

    table: Table
    rows: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        *above, bottom, end = console.render(self.table, options)
        yield from (*above, Segment(self.rows), bottom, end)


def _on_lines(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    return [*map(one_line, titles)], [[*map(one_line, cells)] for cells in lines]


def _layout(titles: Sequence[str], lines: Sequence[Sequence[str]], width: int, left: int) -> tuple[int, Sequence[int]]:
    """Return the spaces between two columns, with the divider, and the widths of the columns."""
    columns = [set(column) for column in zip(*lines, strict=True)] or [set() for _ in titles]
    least = [
        max(_longest_word(header), *map(_longest_word if i < left else cell_len, column), 0)
        for i, (header, column) in enumerate(zip(titles, columns, strict=True))
    ]
    most = [max(map(cell_len, {header, *column})) for header, column in zip(titles, columns, strict=True)]
    gap = 2 if sum(most) + _frame(3, len(most)) > width else 3
    return gap, _widths(least, most, width - _frame(gap, len(most)) - sum(least), left)


def _table(
    titles: Sequence[str], lines: Sequence[Sequence[str]], widths: Sequence[int], gap: int, left: int, title: str
) -> Table:
    from rich import box
    from rich.table import Table

    grid = Table(
        title=one_line(title) or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, gap - 2, 0, 1),
        width=_frame(gap, len(widths)) + sum(widths),  # else rich would cut the cells of a table that is too wide
    )
    for i, (header, size) in enumerate(zip(titles, widths, strict=True)):
        grid.add_column(header, justify="left" if i < left else "right", width=size)
    for line in lines:
        grid.add_row(*line)
    return grid


def _frame(gap: int, columns: int) -> int:
    """Return the width of everything but cells: each column has a gap of spaces with a divider, the table a margin."""
    return gap * columns + 1


def _wraps(cell: str, width: int) -> bool:
    """Whether a cell may need more than one line, or has spaces or control characters that ``rich`` removes."""
    return cell_len(cell) > width or not cell.isprintable() or cell != cell.strip()


def _pad(cell: str, width: int) -> str:
    """Fill a cell up to a width; on the left if that is negative."""
    spaces = " " * (abs(width) - cell_len(cell))
    return cell + spaces if width > 0 else spaces + cell


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
    return marked_up([*map(in_markdown, titles)], [[*map(in_markdown, line)] for line in lines], left)


def marked_up(titles: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a Markdown table whose cells are Markdown already, such as links; only for trusted text."""
    head, *rows = [f"| {' | '.join(line)} |" for line in (titles, *lines)]
    return [head, "|" + "---|" * left + "---:|" * (len(titles) - left), *rows]


def notes(sentences: Iterable[str]) -> list[str]:
    """Return sentences as lines of one Markdown paragraph, each with the two spaces that end a line."""
    return [f"{in_markdown(sentence, begins_line=True)}  " for sentence in sentences]


def heading(text: str) -> str:
    """Return the bold line above a Markdown table."""
    return f"**{in_markdown(text)}**"


def columns(lines: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Return lines of plain text whose columns are two spaces apart; the columns of ``right`` are right-aligned.

    Nothing is cut or wrapped, whatever the width of the terminal.
    """
    numbers = set(right)
    lines = [[*map(one_line, cells)] for cells in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        pairs = enumerate(zip(cells, widths, strict=True))
        return "  ".join(cell.rjust(w) if i in numbers else cell.ljust(w) for i, (cell, w) in pairs).rstrip()

    return [line(cells) for cells in lines]
