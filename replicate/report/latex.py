"""A finished table as LaTeX: a document that compiles alone, with a tabular that can be copied into a paper."""

from __future__ import annotations

import re
import textwrap
import unicodedata

from replicate.report import text
from replicate.results.aggregate import TableResult

# Marks set before escaping: here a line may break, and here TeX would join two characters into another one.
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

# Letters that Computer Modern composes in its oldest encoding, so that they come out on any TeX installation.
_LETTERS = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿĀāĂăĆćĈĉĊċČčĎďĒēĔĕĖėĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭİıĴĵĶķĹĺĻļĽľŁłŃńŅņŇň"
    "ŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŴŵŶŷŸŹźŻżŽž"
)

# T1 without Latin Modern would mean bitmap fonts, which have to be made first and look coarse on a screen.
_PREAMBLE = r"""\documentclass[a4paper]{article}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm,landscape]{geometry}
\pagestyle{empty}
\setlength{\parindent}{0pt}
\setlength{\parskip}{\medskipamount}
\begin{document}
\raggedright
"""


def document(result: TableResult) -> str:
    """The table, its comparisons and its conditions (booktabs)."""
    contexts = len(result.table.contexts)
    titles = text.header(result)
    # A wider gap sets off what belongs to one context.
    columns = "lr" + (r"@{\hspace{2em}}" + "r" * ((len(titles) - 2) // contexts)) * contexts
    parts = [
        f"\\textbf{{\\large {_sentence(text.heading(result))}}}",
        _tabular(columns, titles, text.body(result)),
        _small(text.conditions(result)),
    ]
    if result.comparisons:
        parts += [
            "\\textbf{Differences}",
            _tabular("llrrr", text.COMPARISON_HEADER, text.comparisons(result)),
            _small([text.comparison_conditions(result)]),
        ]
    if result.costs:
        parts += [
            "\\textbf{Training costs}",
            _tabular("lrrr", text.cost_header(result), text.costs(result)),
            _small([text.COST_CONDITIONS]),
        ]
    return _comment(text.heading(result)) + _PREAMBLE + "\n\n".join(parts) + "\n\\end{document}\n"


def escape(words: str) -> str:
    """Plain text as LaTeX; a letter that the fonts lack loses its accent, or becomes a question mark."""
    apart = re.sub(r"(?<=[-,'`!?])(?=[-,'`])", _APART, unicodedata.normalize("NFC", words))
    return "".join(map(_character, apart))


def _character(c: str) -> str:
    if c in _SPECIAL:
        return _SPECIAL[c]
    if _plain(c) or c in _LETTERS:
        return c
    if unicodedata.combining(c):
        return ""
    # What is left of a wide percent sign is a percent sign, so it is escaped in its turn.
    return "".join(_SPECIAL.get(x, x) for x in unicodedata.normalize("NFKD", c) if _plain(x)) or "?"


def _plain(c: str) -> bool:
    return c.isascii() and c.isprintable()


def _comment(words: str) -> str:
    """The words as they are: what follows may lack letters of them."""
    printable = "".join(c if c.isprintable() else "?" for c in words)
    return f"% {printable}\n% For a paper: copy a tabular, and load booktabs.\n"


def _sentence(words: str) -> str:
    """Escaped, with places to break in what has none (a name may have 100 characters)."""
    return escape(re.sub(r"\S{30}(?=\S)", rf"\g<0>{_BREAK}", words))


def _small(sentences: list[str]) -> str:
    return "{\\footnotesize\n" + "\\\\\n".join(map(_guarded, map(_sentence, sentences))) + "\\par}"


def _guarded(escaped: str) -> str:
    r"""After ``\\`` or ``\midrule`` TeX takes a star or a bracket for an option."""
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def _cell(words: str) -> str:
    """A cell; the hyphen of a negative number becomes a minus sign."""
    return _guarded(re.sub(r"(^|(?<=[\s\[]))-(?=\d)", "$-$", escape(words)))


def _title(words: str, column: list[str], side: str) -> str:
    """A column title, broken so that it does not make the column wider than its cells need."""
    width = max(map(len, [*words.split(), *column]), default=1)
    lines = textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]
    if len(lines) == 1:
        return _cell(words)
    stacked = r" \\ ".join(map(_cell, lines))
    return f"\\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{stacked}\\end{{tabular}}"


def _tabular(columns: str, titles: list[str], body: list[list[str]]) -> str:
    """The grid, shrunk where it is wider than the page."""
    sides = re.sub(r"@\{.*?\}\}", "", columns)
    head = [_title(*each) for each in zip(titles, map(list, zip(*body, strict=True)), sides, strict=True)]
    lines = [" & ".join(line) + r" \\" for line in (head, *([_cell(cell) for cell in line] for line in body))]
    inside = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return (
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        f"\\begin{{tabular}}{{{columns}}}\n{inside}\n\\end{{tabular}}}}"
    )
