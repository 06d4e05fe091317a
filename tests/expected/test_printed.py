"""Texts of printed tables are those that were given to the writers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replicate import grids
from replicate.escape import line
from replicate.expected import printed

CELLS = st.text(st.sampled_from("ab1 |\\*_~<&;]([#.-+±–"), max_size=12).map(lambda text: line(text).strip())


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3))
def test_markdown_is_undone(lines):
    text = "\n".join(grids.markdown(("first", "second"), lines))
    (found,) = printed.markdown(text).grids
    assert found.titles == ("first", "second") and list(found.lines) == lines


def test_ragged_lines_and_notes():
    found = printed.markdown("**t1**\n\n| a | b |\n|---|---:|\n| 1 |\n| 1 | 2 | 3 |\n\nn = 2 (24, 25).  \n")
    assert found.grids[0].lines == (("1", ""), ("1", "2")) and found.numbers() == ["t1", "2", "24,", "25"]


def test_rows_of_html_and_latex():
    page = "<table><tr><th>a &amp; b</th><td>0.5 <b>± 0.1</b></td></tr></table>"
    assert printed.html_rows(page) == [("a & b", "0.5 ± 0.1")]
    assert printed.tex_rows("head\n\\midrule\na & 1 \\\\\n\\bottomrule\nnote") == ["a & 1 \\\\"]
