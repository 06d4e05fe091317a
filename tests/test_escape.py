"""Text from files in every format: what it may not become, and what stays as it is."""

import csv
import io
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from export import output
from replicate import escape, grids

ANY = st.text(st.characters(codec=None), max_size=30)  # with lone surrogates, as in names of files


@given(ANY)
@example("\x1b]0;PWNED\x07\x9b2J\u202e\u2028\ud800")
def test_no_control_character_is_left(text):
    assert escape.line(text).isprintable()
    assert all(c.isprintable() or c in "\n\t" for c in escape.terminal(text))
    assert escape.json_text(text).isprintable() and json.loads(escape.json_text(text)) == text


@given(st.text("aé漢 -.,:;()", max_size=30))
def test_words_stay_as_they_are(text):
    assert escape.line(text) == escape.terminal(text) == text
    assert escape.markdown(f"x{text}x") == f"x{text}x"


def test_wide_spaces_and_line_ends_are_spaces():
    assert escape.line("50\u00a0%\u3000a\r\nb\u2028c") == "50 % a  b c"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("a <!-- b", "a &lt;!-- b"),
        ("p < 0.001, over (> 0.02)", "p < 0.001, over (> 0.02)"),
        ("&#60;b&#62; & c", "&amp;#60;b&amp;#62; & c"),
        ("![x](http://a/b.png) [y][z]", r"![x\](http://a/b.png) [y\][z]"),
        ("+0.021 [-0.004, +0.046] (n)", "+0.021 [-0.004, +0.046] (n)"),
        ("a|b \\| c", r"a\|b \\\| c"),
        ("**bold** _x_ a_b", r"\*\*bold\*\* \_x\_ a_b"),
        ("a\n\n# new", "a  # new"),
        ("# heading", "# heading"),
    ],
)
def test_markdown(text, escaped):
    assert escape.markdown(text) == escaped


@pytest.mark.parametrize("text", ["# a", "###### a", "- a", "+ a", "1. # a", "12) a", "> a", "---", "=", "```", " # a"])
def test_a_note_begins_no_heading_list_rule_or_fence(text):
    found = escape.markdown(text, begins_line=True)
    assert re.match(r"\d*\\", found) and found.replace("\\", "", 1) == text.strip()


@pytest.mark.parametrize("text", ["-0.5 a", "#1", "1.5 times", "2024"])
def test_a_note_may_begin_with_a_number(text):
    assert escape.markdown(text, begins_line=True) == text


def test_a_cell_stays_one_cell():
    lines = grids.markdown(("a|b", "c"), [("x|y\n| z", "\\|1")])
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines] == [3, 3, 3]


FORMULAS = ['=HYPERLINK("http://a","b")', "+cmd|' /C calc'!A0", "-2+3+cmd|'x'!A0", "@SUM(A1)", " =1", "\t=1", "＝1+1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_formula_in_csv(text):
    assert escape.csv_cell(text) == f"'{escape.line(text)}"


@pytest.mark.parametrize("value", ["-0.5", "-1 +2e-5 nan", "a=b", "–", "", None, -1.5, 3])
def test_numbers_and_words_in_csv_stay(value):
    assert escape.csv_cell(value) == value


@given(ANY)
@example("=1")
@example("-0.5 1e-5")
def test_the_predictor_of_a_bundle_escapes_in_the_same_way(text):
    assert output.one_line(text) == escape.line(text)
    assert output.csv_cell(text) == escape.csv_cell(text)
    assert output.json_text({text: [text]}) == escape.json_text({text: [text]})


def test_predictions_hold_no_formula_and_no_control_character():
    one = output.utterance("=1\x1b[2J", 1, "@a", ("=x", "y"), (0.75, 0.25))
    (head, cells) = list(csv.reader(io.StringIO(output.to_csv([one]))))
    assert head[6:] == ["'=x", "y"] and cells[0] == "'=1\ufffd[2J" and cells[2] == "'@a" and cells[5] == "'=x"
    assert "\\u001b" in output.to_json([one]) and json.loads(output.to_json([one])) == [one]


def test_words_that_fonts_lack_are_numbered():
    numbers = escape.Numbers(lambda c: not c.isascii())
    assert [*map(numbers, ("快乐", "a 悲伤 b", "快乐", "plain"))] == ["[1]", "a [2] b", "[1]", "plain"]
    assert numbers.legend() == "[1] 快乐, [2] 悲伤"
