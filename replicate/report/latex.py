"""A finished table as LaTeX: a document that compiles alone, with a tabular that can be copied into a paper."""

from __future__ import annotations

from replicate.experiment.results import TableResult
from replicate.report import text

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
} | {c: "\\" + c for c in "&%$#_{}"}

_PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2cm,landscape]{geometry}
\pagestyle{empty}
\begin{document}
"""


def document(result: TableResult) -> str:
    """The table, its comparisons and its conditions (booktabs)."""
    parts = [
        f"\\noindent\\textbf{{{escape(text.heading(result))}}}",
        _tabular(text.header(result), text.body(result), 1),
    ]
    if result.comparisons:
        parts += [
            _tabular(text.COMPARISON_HEADER, text.comparisons(result), 2),
            escape(text.comparison_conditions(result)),
        ]
    parts += [escape(line) for line in text.conditions(result)]
    return _PREAMBLE + "\n\n\\medskip\\noindent\n".join(parts) + "\n\\end{document}\n"


def escape(words: str) -> str:
    """Plain text as LaTeX; what fonts of T1 do not hold becomes a question mark."""
    known = "".join(c if c in _SPECIAL or ord(c) < 0x250 else "?" for c in words)
    return "".join(_SPECIAL.get(c, c) for c in known)


def _tabular(titles: list[str], body: list[list[str]], left: int) -> str:
    columns = "l" * left + "r" * (len(titles) - left)
    lines = [" & ".join(map(escape, line)) + r" \\" for line in (titles, *body)]
    inside = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return f"\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n\\begin{{tabular}}{{{columns}}}\n{inside}\n\\end{{tabular}}}}"
