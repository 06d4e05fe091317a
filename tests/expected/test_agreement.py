"""Every altered digit of a results folder is found and named, also where nothing is expected of it."""

from __future__ import annotations

import json
import random
import re

import pytest

from replicate.errors import NotThisFormat
from replicate.expected import choose
from replicate.expected.agreement import agreement
from replicate.expected.conditions import conditions
from replicate.expected.lines import file_of
from replicate.report.checksums import NAME


def failures(results):
    return [each.cell for each in agreement(results, conditions(results)) if each.status == "FAIL"]


def test_the_files_of_a_command_agree(results):
    assert failures(results) == []


MEASURED = "claims.md, claim 1, statement 1, column measured [95 % interval]"
ALTERED = [
    ("scores.csv", "24,,weighted_f1,0.5\n", "24,,weighted_f1,0.6\n", "made.csv, plain/A, values"),
    ("comparisons.csv", "0.015625", "0.025625", "comparisons.csv, made: a | b [4, 7]/A - plain/A, difference"),
    ("comparisons.csv", ",0.5\n", ",0.6\n", "made.md, line a | b [4, 7]/A - plain/A, column p (Holm)"),
    ("made.md", "0.562 ±", "0.563 ±", "made.md, line plain, column A inference"),
    ("made.md", r"a \| b [4, 7] | 2", r"a \| b [4, 7] | 3", "made.md, line a | b [4, 7], column n"),
    ("made.md", "seeds (24,", "seeds (34,", "made.tex, notes"),
    ("made.csv", "0.8125", "0.8126", "made.csv, plain/AV, values"),
    ("made.json", "0.8125", "0.8126", "made.json, plain/AV, values"),
    ("made.json", '"first": "a | b [4', '"first": "a | b [5', "made.json, comparisons, first"),
    ("made.json", '"p": 0.25', '"p": 0.35', "made.json, a | b [4, 7]/A - plain/A, p"),
    ("made.tex", "0.562 $", "0.563 $", "made.tex, line plain"),
    ("made.tabular.tex", "0.562 $", "0.563 $", "made.tabular.tex, line plain"),
    ("made.booktabs.tex", "0.562 +-", "0.563 +-", "made.booktabs.tex, line plain"),
    ("made.plain.tex", "0.562 $", "0.563 $", "made.plain.tex, line plain"),
    ("index.html", ">0.562 ±", ">0.563 ±", "index.html, made, line plain"),
    (
        "claims.json",
        '"value": 0.25',
        '"value": 0.26',
        "claims.md, claim 1, statement 1, column measured [95 % interval]",
    ),
    ("claims.md", "+0.125", "+0.126", MEASURED),
    ("manifest.json", " 25\n", " 26\n", "made.csv, plain/A, seeds"),
]


@pytest.mark.parametrize("name, old, new, cell", ALTERED, ids=[f"{name}-{cell}" for name, _, _, cell in ALTERED])
def test_an_altered_digit_is_named(results, change, name, old, new, cell):
    change(name, old, new)
    assert cell in failures(results)


@pytest.mark.parametrize("name", ["scores.csv", "comparisons.csv", "made.md", "made.csv", "made.json", "claims.md"])
def test_any_digit_of_the_same_runs_is_found_without_hashes(results, against, name):
    (results / NAME).unlink()
    text = (results / name).read_text(encoding="utf-8")
    digits = [found.start() for found in re.finditer(r"\d", text)]
    for at in random.Random(0).sample(digits, min(len(digits), 20)):
        altered = f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
        (results / name).write_text(altered, encoding="utf-8")
        if name.endswith(".json") and json.loads(altered) == json.loads(text):  # of 17 digits
            continue
        try:
            found = choose.check(results, against).failed
        except NotThisFormat:  # a digit in the name of a column
            continue
        assert found, altered[max(0, at - 40) : at + 40]


def test_a_column_more_than_once_and_a_score_twice_are_refused(results):
    path = results / "scores.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]), encoding="utf-8")
    with pytest.raises(NotThisFormat, match="two values for"):
        failures(results)
    path.write_text("table,table\n", encoding="utf-8")
    with pytest.raises(NotThisFormat, match="there is no column table, or several"):
        failures(results)


@pytest.mark.parametrize("table", ["../made/smoke-paper/made", "a" * 300, "a\u202eb"])
def test_no_path_from_a_file_is_followed(results, table):
    path = results / "scores.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("made,", f"{table},"), encoding="utf-8")
    assert failures(results)[0] == "scores.csv, tables"
    assert file_of(results, table, ".md") is None and file_of(results, "made", ".md") is not None
    assert not [name for name in failures(results) if name.startswith("../")]


@pytest.mark.parametrize(
    "page", ["| first | second |\n|---|---|\n| a | b |\n", "|\n|\n", "|\n|---|\n|\n|\n|\n", "| model | n |\n| a |\n"]
)
def test_a_page_with_too_few_columns_is_no_crash(results, page):
    (results / "made.md").write_text(page, encoding="utf-8")
    assert failures(results)
