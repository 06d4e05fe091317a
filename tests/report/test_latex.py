"""LaTeX: literal escapes, the shape of a document, and every table through pdflatex."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from replicate.config import tables
from replicate.report import latex

from .builders import NASTY, result, table

needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


@pytest.mark.parametrize(
    ("words", "escaped"),
    [
        ("plain words, 0.5", "plain words, 0.5"),
        ("a&b", r"a\&b"),
        ("50 %", r"50 \%"),
        ("cost $5", r"cost \$5"),
        ("#1", r"\#1"),
        ("a_b", r"a\_b"),
        ("{x}", r"\{x\}"),
        ("~", r"\textasciitilde{}"),
        ("x^2", r"x\textasciicircum{}2"),
        ("a\\b", r"a\textbackslash{}b"),
        ("<b>|", r"\textless{}b\textgreater{}\textbar{}"),
        ("0.5 ± 0.1 – or —", r"0.5 $\pm$ 0.1 -- or ---"),
        # What TeX would join stays apart.
        ("a--b ,, '' ?`", "a-{}-b ,{}, '{}' ?{}`"),
        ("Łódź, Zürich", "Łódź, Zürich"),
        ("Zu\u0308rich", "Zürich"),
        ("ṩ ą ﬁ Ａ", "s a fi A"),
        ("голос 日本 😀", "????? ?? ?"),
        # Wide forms of special characters are special, too.
        ("％＄＼", r"\%\$\textbackslash{}"),
        ("a\nb\tc", "a?b?c"),
        ("", ""),
    ],
)
def test_escape(words, escaped):
    assert latex.escape(words) == escaped


def test_no_character_gets_through_unescaped():
    """Of the first 70,000 characters every one becomes letters that TeX knows, or a command."""
    left = set()
    for code in range(70_000):
        escaped = latex.escape(chr(code))
        left |= set(re.sub(r"\\[a-z]+\{\}|\{\}|\\[&%$#_{}]|\$\\[a-z]+\$|\$-\$", "", escaped))
    assert not left & set("\\{}$&#^_~%<>|\n\t")
    assert all((c.isascii() and c.isprintable()) or c in latex._LETTERS for c in left)


def test_the_document_of_a_table():
    lines = latex.document(result()).splitlines()
    assert lines[0] == "% table2 on synthetic-tiny: Masked training"
    assert lines[lines.index(r"\begin{document}") :] == [
        r"\begin{document}",
        r"\raggedright",
        r"\textbf{\large table2 on synthetic-tiny: Masked training}",
        "",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{lr@{\hspace{2em}}rr@{\hspace{2em}}rr}",
        r"\toprule",
        r"model & n & A inference & \begin{tabular}[b]{@{}r@{}}IEMOCAP-4, \\ paper\end{tabular} & AV inference & "
        r"\begin{tabular}[b]{@{}r@{}}IEMOCAP-4, \\ paper\end{tabular} \\",
        r"\midrule",
        r"COGMEN-A & 2 & 0.125 $\pm$ 0.250 & 0.625 & 0.625 $\pm$ 0.250 & 0.750 \\",
        r"COGMEN-Mask & 2 & 0.188 $\pm$ 0.250 & 0.625 & 0.688 $\pm$ 0.250 & 0.750 \\",
        r"\bottomrule",
        r"\end{tabular}}",
        "",
        r"{\footnotesize",
        r"Measured on synthetic-tiny (0123456789ab), protocol paper, profile smoke; weighted F1 on test, mean $\pm$ "
        r"sample deviation over n = 2 seeds (24, 25); epoch chosen on dev.\\",
        r"Published: arXiv 2401.03000, Table 2, measured on IEMOCAP-4.\\",
        r"No verdict: this is not the corpus of the published numbers, they are for orientation only.\\",
        r"Synthetic corpus: generated, its scores are no replication of the published ones.\par}",
        "",
        r"\textbf{Differences}",
        "",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{llrrr}",
        r"\toprule",
        r"first & second & \begin{tabular}[b]{@{}r@{}}difference [95 \% \\ interval]\end{tabular} & p & "
        r"\begin{tabular}[b]{@{}r@{}}p \\ (Holm)\end{tabular} \\",
        r"\midrule",
        # Negative numbers have a minus sign, names keep their hyphens.
        r"COGMEN-A/A & COGMEN-Mask/A & $-$0.062 [$-$0.125, +0.500] & 0.500 & 0.750 \\",
        r"\bottomrule",
        r"\end{tabular}}",
        "",
        r"{\footnotesize",
        "Differences are paired over seeds: mean, 95 \\% bootstrap interval, two-sided paired permutation test, Holm "
        "correction for the number of comparisons in this table, 1; with 2 seeds no p can be below 0.5.\\par}",
        r"\end{document}",
    ]


def test_a_name_that_begins_like_an_option_is_none():
    document = latex.document(result(table(rows=("[4, 7] heads", "*starred"))))
    assert "\n{}[4, 7] heads & 2" in document and "\n{}*starred & 2" in document


def test_a_title_without_comparisons_and_in_letters_that_tex_lacks_stays_readable_in_the_file():
    document = latex.document(result(corpus="голос", comparisons=()))
    assert document.startswith("% table2 on голос: Masked training\n") and "????? " in document
    assert "Differences" not in document
    # A corpus cannot end the comment.
    assert latex._comment("a\nb\u2028c").splitlines()[0] == "% a?b?c"


def compiled(result_, folder):
    """Log and number of pages."""
    (folder / "table.tex").write_text(latex.document(result_), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    log = (folder / "table.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-3000:]
    assert (folder / "table.pdf").read_bytes().startswith(b"%PDF")
    return log, int(re.search(r"Output written on table\.pdf \((\d+) page", log)[1])


@needs_tex
@pytest.mark.parametrize("name", tables.table_names())
def test_every_table_compiles_alone_and_fits_a_page(tmp_path, name):
    # With verdicts it is as wide as it can be.
    log, pages = compiled(result(tables.table(name), verdict="untestable"), tmp_path)
    assert pages == 1 and "Overfull" not in log and "Missing character" not in log


@needs_tex
def test_any_name_compiles(tmp_path):
    """Special characters, every letter that is said to be known, a name of the greatest length, an option."""
    letters = " ".join(sorted(latex._LETTERS))
    rows = (NASTY, letters, "[4, 7]", "*", "".join(map(chr, range(32, 127))))
    log, _ = compiled(result(table(rows=rows), corpus="x" * 100, notes=(NASTY, letters, "[n]", "n" * 300)), tmp_path)
    assert "Overfull" not in log and "Missing character" not in log
