"""A table as LaTeX: a document that compiles on its own, and its scores as a fragment for ``\\input`` in a paper."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from replicate.escape import Numbers, line
from replicate.report.sections import conditions, heading, scores, sections
from replicate.report.types import Grid, Section
from replicate.results.aggregate import TableResult

# Marks that are set before escaping: a possible line break, and a separator for characters that TeX would join.
_BREAK, _APART = "\u200b", "\u200c"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    _BREAK: r"\allowbreak{}",
    _APART: "{}",
} | {c: "\\" + c for c in "&%$#_{}"}

# Letters that Computer Modern can compose in its oldest encoding, so that they are printed by any TeX installation.
_LETTERS = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿĀāĂăĆćĈĉĊċČčĎďĒēĔĕĖėĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭİıĴĵĶķĹĺĻļĽľŁłŃńŅņŇň"
    "ŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŴŵŶŷŸŹźŻżŽž"
)

# T1 without Latin Modern would mean bitmap fonts, which are slow to make and look coarse on a screen.
_PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm,landscape]{geometry}
\pagestyle{empty}
\setlength{\parindent}{0pt}
\setlength{\parskip}{\medskipamount}
% A table that is wider or higher than the page is scaled down.
\newsavebox{\fitted}
\newcommand{\fit}[1]{\sbox{\fitted}{#1}%
\ifdim\wd\fitted>\linewidth\sbox{\fitted}{\resizebox{\linewidth}{!}{\usebox{\fitted}}}\fi
\ifdim\dimexpr\ht\fitted+\dp\fitted>0.9\textheight\sbox{\fitted}{\resizebox*{!}{0.9\textheight}{\usebox{\fitted}}}\fi
\usebox{\fitted}}
\begin{document}
\raggedright
"""


def document(result: TableResult) -> str:
    """Return a document that compiles on its own and shows all sections of the table with their notes."""
    numbers = Numbers(lacks)
    first, *others = (numbered(section, numbers) for section in sections(result))
    pieces = [_title_of(first, "\\large "), _shrunk(_tabular(first.grid)), small(first.notes)]
    for section in others:
        pieces += [_title_of(section), _shrunk(_tabular(section.grid)), small(section.notes)]
    pieces += [small([legend(numbers)])] if numbers.words else []
    return comment(heading(result), *words_comment(numbers)) + _PREAMBLE + "\n\n".join(pieces) + "\n\\end{document}\n"


def fragment(result: TableResult) -> str:
    """Return the scores as a bare tabular, without preamble, caption or notes."""
    numbers = Numbers(lacks)
    tabular = _tabular(numbered(Section("", scores(result), []), numbers).grid)
    package = r"For \input in a paper: it needs \usepackage{booktabs}."
    return comment(heading(result), conditions(result)[0], package, *words_comment(numbers)) + tabular + "\n"


def numbered(section: Section, numbers: Numbers) -> Section:
    """Return the section with numbers in place of words that LaTeX's fonts lack."""
    grid = section.grid
    columns = tuple(replace(column, title=numbers(column.title)) for column in grid.columns)
    lines = [[*map(numbers, line)] for line in grid.lines]
    return Section(numbers(section.title), Grid(columns, lines), [*map(numbers, section.notes)])


def legend(numbers: Numbers) -> str:
    """Return a sentence with the words that numbers stand for."""
    return f"Words with letters that LaTeX's standard fonts lack are numbered: {numbers.coded()}."


def words_comment(numbers: Numbers) -> list[str]:
    """Return the comment with the words that numbers stand for, if there are any."""
    return [f"Numbers in place of words: {numbers.legend()}"] if numbers.words else []


def lacks(c: str) -> bool:
    """Return whether the fonts lack a letter."""
    return c != "?" and c.isprintable() and _character(c) == "?"


def escape(words: str) -> str:
    """Return plain text as LaTeX; a letter that the fonts lack loses its accent or becomes a question mark."""
    apart = re.sub(r"(?<=[-,'`!?])(?=[-,'`])", _APART, unicodedata.normalize("NFC", words))
    return "".join(map(_character, apart))


def _character(c: str) -> str:
    if c in _SPECIAL:
        return _SPECIAL[c]
    if _plain(c) or c in _LETTERS:
        return c
    if unicodedata.combining(c):
        return ""
    # A wide percent sign is reduced to a plain one, which has to be escaped, too.
    return "".join(_SPECIAL.get(x, x) for x in unicodedata.normalize("NFKD", c) if _plain(x)) or "?"


def _plain(c: str) -> bool:
    return c.isascii() and c.isprintable()


def plain_line(cells: Sequence[str]) -> str | None:
    """Return the line of a tabular with these cells; None if the fonts lack a letter, for which it has a number."""
    return None if any(map(lacks, "".join(cells))) else " & ".join(map(cell, cells)) + r" \\"


def plain_sentence(words: str) -> str | None:
    """Return a note as LaTeX; None if the fonts lack a letter, for which it has a number."""
    return None if any(map(lacks, words)) else _sentence(words)


def comment(*lines: str) -> str:
    """Return comment lines; they keep all letters, also those that the fonts lack."""
    return "".join(f"% {line(each)}\n" for each in lines)


def _sentence(words: str) -> str:
    """Return escaped text in which long words may break (a name may have 100 characters)."""
    return escape(re.sub(r"\S{30}(?=\S)", rf"\g<0>{_BREAK}", words))


def _title_of(section: Section, size: str = "") -> str:
    """Return a section's title, which stays on the page of its table."""
    return f"\\textbf{{{size}{_sentence(section.title)}}}\\par\\nopagebreak"


def small(sentences: list[str]) -> str:
    """Return sentences in small print, one a line."""
    return "{\\footnotesize\n" + "\\\\\n".join(map(_guarded, map(_sentence, sentences))) + "\\par}"


def _guarded(escaped: str) -> str:
    r"""Protect a leading star or bracket, which TeX would take for an option of ``\\`` or ``\midrule``."""
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def cell(words: str) -> str:
    """Return a cell, in which the hyphen of a negative number becomes a minus sign."""
    return _guarded(re.sub(r"(^|(?<=[\s\[]))-(?=\d)", "$-$", escape(words)))


def title(words: str, column: list[str], side: str) -> str:
    """Return a column title, broken so that it does not make the column wider than its cells need."""
    return broken(words, max(map(len, [*words.split(), *column]), default=1), f"[b]{{@{{}}{side}@{{}}}}")


def broken(words: str, width: int, columns: str) -> str:
    """Return a cell that is broken between words into lines of at most ``width`` letters, in a tabular of its own."""
    lines = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]
    if len(lines) == 1:
        return cell(words)
    stacked = r" \\ ".join(map(cell, lines))
    return f"\\begin{{tabular}}{columns}{stacked}\\end{{tabular}}"


def _tabular(grid: Grid) -> str:
    """Return the grid as a booktabs tabular."""
    sides = ["l" if column.kind == "name" else "r" for column in grid.columns]
    columns = "".join(
        (r"@{\hspace{2em}}" if column.starts_group else "") + side
        for column, side in zip(grid.columns, sides, strict=True)
    )
    head = [title(*each) for each in zip(grid.titles, map(list, zip(*grid.lines, strict=True)), sides, strict=True)]
    lines = [" & ".join(line) + r" \\" for line in (head, *([*map(cell, line)] for line in grid.lines))]
    inside = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return f"\\begin{{tabular}}{{{columns}}}\n{inside}\n\\end{{tabular}}"


def _shrunk(tabular: str) -> str:
    """Return the tabular, scaled down where the page is too small for it."""
    return "\\fit{%\n" + tabular + "}"
