"""Fragments for papers: what they say is bold, how numbers are aligned, and every table through pdflatex."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from replicate.config import tables as definitions
from replicate.report import latex, paper, tables
from replicate.results import best
from replicate.results.aggregate import Comparison
from tests import cells
from tests.hostile import NAME, TEXT

from .builders import NASTY, result, table
from .conftest import everything, judged, made, one_seed

needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def has_siunitx():
    """Whether TeX finds siunitx, in version 3 or later."""
    if shutil.which("kpsewhich") is None:
        return False
    return bool(subprocess.run(["kpsewhich", "siunitx-v2.sty"], capture_output=True, text=True).stdout)


def styles():
    missing = pytest.mark.skipif(not has_siunitx(), reason="TeX has no siunitx 3 (Debian: texlive-science)")
    return [pytest.param("booktabs", marks=missing), "plain"]


def decided(gap=0.25):
    """A table of two rows in two contexts: in A the second is measurably better, in AV they are equal."""
    of = table(rows=("first", "second"), compare=())

    def cell(name, mean):
        scores = [[mean + (seed + d) % 3 / 64 for d in range(8)] for seed in range(3)]
        return cells.of_dialogues(scores, name, published=0.75)

    rows = {
        "first": {"A": cell("a", 0.25), "AV": cell("a", 0.5)},
        "second": {"A": cell("b", 0.25 + gap), "AV": cell("b", 0.5)},
    }
    return replace(result(of), rows=rows, seeds=(1, 2, 3), comparisons=())


@pytest.mark.parametrize("style", paper.STYLES)
def test_fragments(golden, style):
    golden(paper.fragment(decided(), style), f"table2.{style}.tex")


@pytest.mark.parametrize(
    ("style", "bold"), [("booktabs", r"{b}\\selectfont ([\d.]+) "), ("plain", r"{b}\\selectfont ([\d.]+)}")]
)
def test_a_value_is_bold_only_where_a_test_supports_it(style, bold):
    found = paper.fragment(decided(), style)
    assert re.findall(bold, found) == [f"{decided().rows['second']['A'].summary.mean:.3f}"]
    assert "Bold: the best value of a column, where it is measurably better" in found
    equal = paper.fragment(decided(gap=0.0), style)
    assert re.findall(bold, equal) == [] and "No value is bold: none is measurably better" in equal
    # The comparison of the table finds no difference.
    difference = best.find(decided()).differences[0]
    denied = replace(decided(), comparisons=(Comparison("first/A", "second/A", difference, 0.5, 0.5),))
    assert re.findall(bold, paper.fragment(denied, style)) == []
    assert "with 1 seed no difference can be tested" in paper.fragment(replace(decided(), seeds=(1,)), style)
    assert "no column has two rows" in paper.fragment(one_seed(), style)


@pytest.mark.parametrize("style", paper.STYLES)
def test_published_numbers_stay_with_their_corpus(style):
    for other, shows in ((made(), False), (judged(), True)):
        found = paper.fragment(other, style)
        assert ("IEMOCAP-4, \\\\ paper" in found) == ("0.636" in found) == shows
        assert f"Measured on {other.corpus}" in found


def test_siunitx_gets_numbers_and_nothing_else():
    """Cells of S columns are numbers or in braces; a column without numbers is none of siunitx's."""
    lines = paper.fragment(everything(), "booktabs").splitlines()
    (columns,) = (line for line in lines if line.startswith(r"\begin{tabular}{@{}l"))
    assert columns.startswith(r"\begin{tabular}{@{}lS[table-format=1.0]@{\hspace{1.5em}}S[table-format=1.3(3)]")
    first, second = (next(line for line in lines if line.startswith(name)) for name in ("COGMEN-A &", "HuBERT &"))
    assert first.split(" & ")[1:4] == ["2", "0.500 +- 0.250", "0.500 +- 0.062"]
    assert second.split(" & ")[1:4] == ["{--}", "{needs the hubert stream}", "0.250"]
    assert r"\pm" not in first + second
    single = paper.fragment(one_seed(), "booktabs")
    assert "COGMEN-A & 1 & 0.500 & 0.636" in single


@pytest.mark.parametrize("style", paper.STYLES)
def test_contexts_without_a_number_are_left_out_with_a_note(style):
    of = table(rows=("first", "second"), compare=())
    rows = {"first": {"A": cells.cell([0.5, 0.625])}, "second": {"A": cells.cell([0.25, 0.375])}}
    found = paper.fragment(replace(result(of, published_for=""), rows=rows, comparisons=()), style)
    assert "Left out, because nothing was measured: AV inference." in found and found.count("inference") == 2
    none = replace(result(of, published_for=""), rows={"first": {}, "second": {}}, comparisons=())
    assert "Left out" not in paper.fragment(none, style)


def test_names_of_wide_tables_are_broken():
    long = "COGMEN-Mask, more context layers"
    of = table(rows=(long, "second"), compare=())
    broken = r"\begin{tabular}[t]{@{}l@{}}COGMEN-Mask, more \\ context layers\end{tabular} & "
    assert broken in paper.fragment(result(of), "plain")  # with published numbers
    assert f"\n{long} & " in paper.fragment(result(of, published_for=""), "plain")


def test_plain_needs_no_package():
    found = paper.fragment(everything(), "plain")
    assert "it needs no package" in found
    assert set(re.findall(r"\\([a-zA-Z]+)", found[found.index("\\begin") :])) <= {
        *("begin", "end", "hspace", "hline", "pm", "phantom", "textbf", "par", "medskip", "linewidth"),
        *("raggedright", "footnotesize", "allowbreak", "textless", "textgreater", "fontseries", "selectfont"),
        *("begingroup", "endgroup", "def", "scores", "setlength", "tabcolsep", "sbox", "usebox"),
        *("ifdim", "wd", "noalign", "smallskip", "small", "scriptsize", "fi"),
    }


def test_a_fragment_is_written_on_request_and_kept_up_to_date(tmp_path):
    tables.write(decided(), tmp_path)
    assert not (tmp_path / "table2.booktabs.tex").exists()
    assert tmp_path / "table2.booktabs.tex" in tables.write(decided(), tmp_path, ["booktabs"])
    tables.write(decided(gap=0.0), tmp_path)
    assert (tmp_path / "table2.booktabs.tex").read_text(encoding="utf-8") == paper.fragment(decided(0.0), "booktabs")
    assert not (tmp_path / "table2.plain.tex").exists()


WIDE = r"\usepackage[paperwidth=120cm,paperheight=60cm,margin=1cm]{geometry}"


def compiled(fragments, folder, packages="", page=WIDE):
    for i, each in enumerate(fragments):
        (folder / f"t{i}.tex").write_text(each, encoding="utf-8")
    inputs = "\n".join(
        rf"\begin{{table}}\centering\caption{{T}}\input{{t{i}.tex}}\end{{table}}\clearpage"
        for i in range(len(fragments))
    )
    body = f"\\documentclass{{article}}{packages}{page}\n\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
    (folder / "all.tex").write_text(body, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60)
    log = (folder / "all.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-3000:]
    assert "Overfull" not in log and "Missing character" not in log and "Warning: Option" not in log
    return int(re.search(r"Output written on all\.pdf \((\d+) page", log)[1])


@needs_tex
@pytest.mark.parametrize("style", styles())
def test_all_tables_and_any_name_compile_in_a_paper(style, tmp_path):
    letters = " ".join(sorted(latex._LETTERS))
    rows = (NASTY, NAME, TEXT, letters, "[4, 7]", "*", "0.5 ± 0.1", "}", "".join(map(chr, range(32, 127))))
    hostile = result(table(rows=rows), corpus="x" * 100, notes=(NASTY, TEXT, letters, "[n]", "n" * 300))
    made_tables = [result(definitions.table(name), verdict="untestable") for name in definitions.table_names()]
    several = [hostile, decided(), everything(), judged(), one_seed(), *made_tables]
    packages = r"\usepackage{booktabs}\usepackage{siunitx}" if style == "booktabs" else ""
    assert compiled([paper.fragment(each, style) for each in several], tmp_path, packages) == len(several)


@needs_tex
@pytest.mark.parametrize("style", styles())
def test_tables_of_a_paper_fit_into_its_text(style, tmp_path):
    """Tables 1 to 5 with measured scores, and two of them with published numbers, too."""
    fitting = [result(definitions.table(f"table{i}"), published_for="") for i in range(1, 6)]
    several = [*fitting, result(definitions.table("table1")), result(definitions.table("table2"))]
    packages = r"\usepackage{booktabs}\usepackage{siunitx}" if style == "booktabs" else ""
    assert compiled([paper.fragment(each, style) for each in several], tmp_path, packages, "") == len(several)
