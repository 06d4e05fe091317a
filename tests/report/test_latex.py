"""LaTeX: literal escapes, the shape of a document, and every table through pdflatex."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from replicate.config import tables
from replicate.report import latex
from tests.hostile import NAME, TEXT

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
    """Of the first 70,000 characters all become letters of the fonts, or commands."""
    left = set()
    for code in range(70_000):
        escaped = latex.escape(chr(code))
        left |= set(re.sub(r"\\[a-z]+\{\}|\{\}|\\[&%$#_{}]|\$\\[a-z]+\$|\$-\$", "", escaped))
    assert not left & set("\\{}$&#^_~%<>|\n\t")
    assert all((c.isascii() and c.isprintable()) or c in latex._LETTERS for c in left)


def test_the_document_of_a_table(golden):
    """Among other things: negative numbers have a minus sign, names keep their hyphens."""
    golden(latex.document(result()), "table2.tex")


def test_the_fragment_of_a_table(golden):
    golden(latex.fragment(result()), "table2.tabular.tex")


@pytest.mark.parametrize("made", [result(), result(table(rows=("[4, 7] heads", NASTY)), verdict="inside")])
def test_document_and_fragment_hold_the_same_scores(made):
    comments, body = re.fullmatch(
        r"((?:%.*\n)+)(\\begin{tabular}.*\\end{tabular}\n)", latex.fragment(made), re.S
    ).groups()
    assert body.rstrip("\n") in latex.document(made)
    assert r"\usepackage{booktabs}" in comments and "Measured on iemocap4" in comments
    # Nothing but the tabular: no preamble, no caption, nothing that needs another package.
    assert not re.search(r"\\(documentclass|usepackage|caption|resizebox|footnotesize)", body)


def test_a_name_that_begins_like_an_option_is_none():
    document = latex.document(result(table(rows=("[4, 7] heads", "*starred"))))
    assert "\n{}[4, 7] heads & 2" in document and "\n{}*starred & 2" in document


def test_a_title_without_comparisons_and_in_letters_that_tex_lacks_stays_readable_in_the_file():
    document = latex.document(result(corpus="голос", comparisons=()))
    assert document.startswith("% table2 on голос: Masked training\n") and "on [1]: Masked" in document
    assert "numbered: [1] U+0433 U+043E" in document and "% Numbers in place of words: [1] голос\n" in document
    assert "Differences" not in document


def test_a_corpus_cannot_end_a_comment():
    fragment = latex.fragment(result(corpus="a\nb\u2028c"))
    assert fragment.splitlines()[0] == "% table2 on a b c: Masked training"
    assert all(line.startswith("%") for line in fragment[: fragment.index("\\begin{tabular}")].splitlines())


def compiled(document, folder):
    """Log and number of pages."""
    (folder / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    log = (folder / "table.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-3000:]
    assert (folder / "table.pdf").read_bytes().startswith(b"%PDF")
    return log, int(re.search(r"Output written on table\.pdf \((\d+) page", log)[1])


@needs_tex
def test_every_table_compiles_and_fits_its_pages(tmp_path):
    # With verdicts they are as wide as they can be; in one document, because TeX takes most time to start.
    documents = [latex.document(result(tables.table(name), verdict="untestable")) for name in tables.table_names()]
    bodies = [re.search(r"\\begin{document}\n(.*)\\end{document}", each, re.S)[1] for each in documents]
    log, pages = compiled(documents[0].replace(bodies[0], "\\newpage\n".join(bodies)), tmp_path)
    assert len(bodies) <= pages <= 1.5 * len(bodies)
    assert "Overfull" not in log and "Missing character" not in log


@needs_tex
def test_a_table_higher_than_a_page_loses_no_row(tmp_path):
    rows = tuple(f"arm {i}" for i in range(150))
    log, pages = compiled(latex.document(result(table(rows=rows), notes=("n" * 300,) * 5)), tmp_path)
    assert pages <= 2 and "Overfull" not in log


@needs_tex
def test_any_name_compiles(tmp_path):
    """Special characters, all letters that the fonts have, a very long name, a name that looks like an option."""
    letters = " ".join(sorted(latex._LETTERS))
    rows = (NASTY, NAME, TEXT, letters, "[4, 7]", "*", "".join(map(chr, range(32, 127))))
    made = result(table(rows=rows), corpus="x" * 100, notes=(NASTY, TEXT, letters, "[n]", "n" * 300))
    log, _ = compiled(latex.document(made), tmp_path)
    assert "Overfull" not in log and "Missing character" not in log


@needs_tex
def test_the_fragment_compiles_inside_another_document(tmp_path):
    (tmp_path / "table2.tabular.tex").write_text(
        latex.fragment(result(table(rows=(NASTY, "[4, 7]")))), encoding="utf-8"
    )
    lines = [
        r"\documentclass{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{booktabs}",
        r"\begin{document}",
        r"\begin{table}",
    ]
    lines += [r"\input{table2.tabular.tex}", r"\end{table}", r"\end{document}"]
    _, pages = compiled("\n".join(lines), tmp_path)
    assert pages == 1
