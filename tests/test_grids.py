import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from replicate import grids


def test_columns_are_two_spaces_apart_and_never_cut():
    long = "x" * 300
    lines = grids.columns([("key", "F1", "arm"), ("a", "0.5", long), ("bcde", "10", "")], [1])
    assert lines == ["key    F1  arm", f"a     0.5  {long}", "bcde   10"]


def test_no_lines_are_no_columns():
    assert grids.columns([]) == []


TITLES = ("model", "n", "A inference", "IEMOCAP, paper", "AV inference", "IEMOCAP, paper")
SCORE = "0.518 ± 0.003"
LINES = [
    ("COGMEN-Mask, more context layers", "8", SCORE, "0.700", SCORE, "0.710"),
    ("COGMEN-A", "8", SCORE, "0.636", "–", "–"),
]


@pytest.mark.parametrize("width", [68, 80, 90, 140])
def test_a_table_fits_the_terminal_and_breaks_between_words_alone(width):
    out = io.StringIO()
    Console(file=out, width=width).print(grids.terminal(TITLES, LINES, width), crop=False)
    printed = out.getvalue().splitlines()
    assert max(map(len, printed)) <= width
    words = {word for line in printed for word in line.split()}
    assert {word for text in (*TITLES, *LINES[0]) for word in text.split()} <= words
    (scores,) = [line for line in printed if line.count(SCORE) == 2]
    assert "0.700" in scores and "0.710" in scores
    assert (LINES[0][0] in scores and any("IEMOCAP, paper" in line for line in printed)) == (width == 140)


def test_a_table_that_cannot_fit_keeps_its_numbers():
    out = io.StringIO()
    Console(file=out, width=40).print(grids.terminal(TITLES, LINES, 40), crop=False)
    assert [line.count(SCORE) for line in out.getvalue().splitlines() if SCORE in line] == [2, 1]


def _printed(grid, width, **terminal):
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False, **terminal).print(grid, crop=False)
    return out.getvalue()


@pytest.mark.parametrize("terminal", [{}, {"force_terminal": True, "color_system": "standard"}])
@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.text("ab 漢é\t|[]:", max_size=9)] * 2, *[st.text("0.19–", max_size=9)] * 2), max_size=5),
    st.sampled_from([24, 40, 50, 60, 1000]),
)
def test_rows_are_laid_out_as_rich_does(terminal, lines, width):
    layout = ("title of words", "speaker", "1", "probability"), lines, width, 2, "a [red]title"
    by_rich = _printed(grids.terminal(*layout), width, **terminal)
    assert _printed(grids.long_terminal(*layout), width, **terminal) == by_rich


def test_rich_lays_out_no_row_that_needs_no_wrapping():
    grid = grids.long_terminal(("name", "F1"), [("one two", f"{i}") for i in range(1000)], 80)
    assert grid.table.row_count == 0 and len(_printed(grid, 80).splitlines()) == 1000 + 4
