"""A table's scores as a fragment for ``\\input`` in a paper: aligned numbers, the best ones bold, with notes.

``booktabs`` aligns by siunitx, which a document has to load. ``plain`` needs no package.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from replicate.escape import Numbers
from replicate.report import latex
from replicate.report.sections import conditions, heading, resampled, scores
from replicate.report.text import count
from replicate.report.types import Column, Grid, Section
from replicate.results import best
from replicate.results.aggregate import TableResult

Style = Literal["booktabs", "plain"]
STYLES: tuple[Style, ...] = ("booktabs", "plain")
_NEEDS: dict[Style, str] = {
    "booktabs": r"it needs \usepackage{booktabs} and \usepackage{siunitx}, of which version 3 (2021) or a later one.",
    "plain": "it needs no package.",
}
_WIDTH = r"Its font is as large as \linewidth allows, \scriptsize at least: wider tables need table*, or another page."

# As replicate.report.text writes them: ``0.612 ± 0.014``, ``0.612 (1 seed)`` or an integer.
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?(?: ± (\d+\.\d+)| \(1 seed\))?")
# A deviation of 0 is one. siunitx would leave out the space before ±, where it aligns deviations by themselves.
_OPTIONS = ("mode=text", "reset-text-series=false", "uncertainty-mode=separate", "table-align-uncertainty=false")
_SETUP = f"\\sisetup{{{', '.join((*_OPTIONS, 'retain-zero-uncertainty'))}}}\\def\\textpm{{$\\pm$}}%\n"
# Not \\bfseries, whose digits are wider in TeX's own fonts: decimal points would not be below each other.
_BOLD = r"\fontseries{b}\selectfont"
# Smaller fonts, one after the other, while the table is wider than the text.
_SIZES = (r"\small", r"\footnotesize", r"\scriptsize")
# With more columns than these, names of rows are broken into lines of so many letters.
_FEW_COLUMNS, _NAME_WIDTH = 5, 22


def fragment(result: TableResult, style: Style) -> str:
    """Return the scores as a tabular and the notes on them, without preamble, caption or label.

    A value is bold where ``replicate.results.best`` supports it; the last note says what bold means.
    """
    numbers = Numbers(latex.lacks)
    found = best.find(result)
    grid, left_out = _without_empty_groups(scores(result))
    absent = [f"Left out, because nothing was measured: {', '.join(left_out)}."] if left_out else []
    section = latex.numbered(Section("", grid, [*conditions(result), *absent, bold_means(result, found)]), numbers)
    notes = [*section.notes, *([latex.legend(numbers)] if numbers.words else [])]
    bold = _places(section.grid, result, found, left_out)
    groups = [len(result.table.rows)] if result.baselines else []
    tabular = _fitted((_booktabs if style == "booktabs" else _plain)(section.grid, bold, groups), style)
    package = f"For \\input in a table environment of a paper: {_NEEDS[style]}"
    head = latex.comment(heading(result), conditions(result)[0], package, _WIDTH, *latex.words_comment(numbers))
    below = "\\par\\medskip\n\\begin{minipage}{\\linewidth}\\raggedright\n"
    return f"{head}{tabular}\n{below}{latex.small(notes)}\n\\end{{minipage}}\n"


def bold_means(result: TableResult, found: best.Best) -> str:
    """Return what a bold number means, or why none is bold."""
    number = len(found.differences)
    if not number:
        return "No value is bold: no column has two rows to compare."
    if len(result.seeds) < 2:
        return f"No value is bold: with {count(len(result.seeds))} no difference can be tested."
    rule = (
        "measurably better than that of every other measured row, by a two-sided p of the crossed bootstrap over "
        f"{resampled(found.differences)}, at or below {best.LEVEL:g} after Bonferroni's correction for the {number} "
        f"difference{'s' if number > 1 else ''} from the best values in all columns"
    )
    first = (
        f"Bold: the best value of a column, where it is {rule}." if found.rows else f"No value is bold: none is {rule}."
    )
    baselines = " Baselines are not tested; no value is bold where one of them is as good." if result.baselines else ""
    return f"{first}{baselines} Published numbers and those of other tables are not compared."


def _without_empty_groups(grid: Grid) -> tuple[Grid, list[str]]:
    """Return the columns without those of contexts in which no line has a number, and the titles of these contexts."""
    starts = [i for i, column in enumerate(grid.columns) if column.starts_group]
    ends = [*starts[1:], len(grid.columns)]
    columns = _columns(grid)
    groups = [range(start, end) for start, end in zip(starts, ends, strict=True)]
    empty = [each for each in groups if not any(_NUMBER.fullmatch(text) for i in each for text in columns[i])]
    if len(empty) == len(groups):
        return grid, []
    dropped = {i for each in empty for i in each}
    kept = [i for i in range(len(grid.columns)) if i not in dropped]
    lines = [[line[i] for i in kept] for line in grid.lines]
    return Grid(tuple(grid.columns[i] for i in kept), lines), [grid.columns[each[0]].title for each in empty]


def _places(grid: Grid, result: TableResult, found: best.Best, left_out: Sequence[str]) -> set[tuple[int, int]]:
    """Return line and column of the best values."""
    rows = [row.name for row in result.table.rows]
    columns = [i for i, column in enumerate(grid.columns) if column.starts_group]
    titles = [column.title for column in scores(result).columns if column.starts_group]
    contexts = [each for each, title in zip(result.table.contexts, titles, strict=True) if title not in left_out]
    by_context = dict(zip(contexts, columns, strict=True))
    return {(rows.index(row), by_context[context]) for context, row in found.rows.items()}


def _fitted(tabular: str, style: Style) -> str:
    """Return the tabular in the largest font in which it is not wider than the text."""
    sizes = [f"\\ifdim\\wd0>\\linewidth{size}\\sbox0{{\\scores}}\\fi" for size in _SIZES]
    setup = _SETUP if style == "booktabs" else ""
    macro = f"\\def\\scores{{\\setlength{{\\tabcolsep}}{{0.5em}}%\n{tabular}}}%"
    return "\n".join([f"\\begingroup\n{setup}{macro}", r"\sbox0{\scores}%", *sizes, r"\usebox0", r"\endgroup"])


def _booktabs(grid: Grid, bold: set[tuple[int, int]], groups: Sequence[int]) -> str:
    kinds = [_siunitx(column, texts) for column, texts in zip(grid.columns, _columns(grid), strict=True)]
    aligned = [kind.startswith("S") for kind in kinds]

    def cell(text: str, column: int, is_bold: bool) -> str:
        number = _NUMBER.fullmatch(text) if aligned[column] else None
        if grid.columns[column].kind == "name":
            return _name(text, grid)
        if number is None:
            # Braces keep siunitx from looking for a number.
            return f"{{{latex.cell(text)}}}" if aligned[column] else latex.cell(text)
        return f"{_BOLD} " * is_bold + _without_seeds(text).replace("±", "+-")

    titles = zip(grid.titles, _columns(grid), aligned, grid.columns, strict=True)
    head = [
        f"{{{latex.title(title, texts, 'c')}}}" if number else latex.title(title, texts, _side(column))
        for title, texts, number, column in titles
    ]
    lines = [[cell(text, j, (i, j) in bold) for j, text in enumerate(line)] for i, line in enumerate(grid.lines)]
    return _laid_out(_format(grid, kinds), head, lines, groups, (r"\toprule", r"\midrule", r"\bottomrule"))


def _plain(grid: Grid, bold: set[tuple[int, int]], groups: Sequence[int]) -> str:
    columns = _columns(grid)

    def cell(text: str, column: int, is_bold: bool) -> str:
        if grid.columns[column].kind == "name":
            return _name(text, grid)
        if _NUMBER.fullmatch(text) is None:
            return latex.cell(text)
        mean, _, deviation = _without_seeds(text).partition(" ± ")
        # As wide as the others of the column, so that decimal points are below each other.
        widest = max((found[3] or "" for each in columns[column] if (found := _NUMBER.fullmatch(each))), key=len)
        other = f" $\\pm$ {deviation}" if deviation else rf"\phantom{{ $\pm$ {widest}}}" if widest else ""
        return (f"{{{_BOLD} {mean}}}" if is_bold else mean) + other

    sides = [_side(column) for column in grid.columns]
    head = [latex.title(*each) for each in zip(grid.titles, columns, sides, strict=True)]
    lines = [[cell(text, j, (i, j) in bold) for j, text in enumerate(line)] for i, line in enumerate(grid.lines)]
    gap = r"\noalign{\smallskip}"
    rules = (rf"\hline{gap}", rf"{gap}\hline{gap}", rf"{gap}\hline")
    return _laid_out(_format(grid, sides), head, lines, groups, rules)


def _name(words: str, grid: Grid) -> str:
    is_wide = len(grid.columns) > _FEW_COLUMNS
    return latex.broken(words, _NAME_WIDTH, "[t]{@{}l@{}}") if is_wide else latex.cell(words)


def _columns(grid: Grid) -> list[list[str]]:
    return [[line[i] for line in grid.lines] for i in range(len(grid.columns))]


def _side(column: Column) -> str:
    return "l" if column.kind == "name" else "r"


def _siunitx(column: Column, texts: Sequence[str]) -> str:
    """Return the column type: S with room for the numbers, or that of words where there are none."""
    numbers = [] if column.kind == "name" else [found for text in texts if (found := _NUMBER.fullmatch(text))]
    if not numbers:
        return _side(column)
    before, after = (max(len(found[group] or "") for found in numbers) for group in (1, 2))
    deviations = [len(found[3].replace(".", "").lstrip("0") or "0") for found in numbers if found[3]]
    room = f"({max(after, *deviations)})" if deviations else ""
    return f"S[table-format={before}.{after}{room}]"


def _without_seeds(text: str) -> str:
    """Return a number without ``(1 seed)``, which the column n says."""
    return text.removesuffix(" (1 seed)")


def _format(grid: Grid, kinds: Sequence[str]) -> str:
    gaps = [r"@{\hspace{1.5em}}" if column.starts_group else "" for column in grid.columns]
    return f"@{{}}{''.join(gap + kind for gap, kind in zip(gaps, kinds, strict=True))}@{{}}"


def _laid_out(
    columns: str, head: list[str], lines: list[list[str]], groups: Sequence[int], rules: tuple[str, str, str]
) -> str:
    """Return a tabular with a rule above each line of ``groups``, which are numbers of lines."""
    top, middle, bottom = rules
    body = [" & ".join(line) + r" \\" for line in lines]
    for number in sorted(groups, reverse=True):
        body.insert(number, middle)
    inside = "\n".join([top, " & ".join(head) + r" \\", middle, *body, bottom])
    return f"\\begin{{tabular}}{{{columns}}}\n{inside}\n\\end{{tabular}}"
