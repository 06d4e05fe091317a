"""What is judged where only some of the expected tables were trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replicate import grids
from replicate.expected.claims import claims_of
from replicate.expected.judge import _claim, judge
from replicate.expected.model import Expected, ExpectedClaim, ExpectedGrid, ExpectedPage

STATEMENTS = ((0.2, 0.1, 0.3, 0.01, 0.25), (0.1, 0.0, 0.2, 0.5, None))
TITLES = ("claim", "outcome", "paper", "measured")
LINE = ("1. It helps", "undecided", "+0.250", "+0.200")
RESULTS = Path(__file__).parents[2] / "docs" / "results" / "synthetic-small" / "control-paper"
NONE = (None, None, None, None, None)


@pytest.fixture
def statuses(tmp_path: Path, monkeypatch):
    """Judge a folder with one claim by equality; ``statements`` and ``line`` are what it has. By the cell's name."""

    def call(statements, line=LINE) -> dict[str, str]:
        found = ExpectedClaim(1, "It helps", "undecided", statements)
        monkeypatch.setattr("replicate.expected.judge.claims_of", lambda folder: [found])
        (tmp_path / "claims.json").write_text(json.dumps({}), encoding="utf-8")
        (tmp_path / "claims.md").write_text("\n".join(grids.markdown(TITLES, [line])), encoding="utf-8")
        page = ExpectedPage("claims", (ExpectedGrid(TITLES, (LINE,), ((None,) * len(LINE),)),), ())
        claim = ExpectedClaim(1, "It helps", "undecided", STATEMENTS)
        expected = Expected(1, "made", None, "", (), (), (claim,), (page,))  # type: ignore[arg-type]
        return {each.cell: each.status for each in judge(tmp_path, expected, "equality")}

    return call


def test_the_same_numbers_are_ok(statuses):
    assert statuses(STATEMENTS) == {
        "claims.json, claim 1": "OK",
        "claims.md, line 1. It helps, column measured": "OK",
    }


def test_a_statement_whose_cells_were_not_measured_is_missing(statuses):
    assert statuses((STATEMENTS[0], NONE))["claims.json, claim 1"] == "missing"


@pytest.mark.parametrize("other", [(0.3, 0.1, 0.3, 0.01, 0.25), (0.0, 0.1, 0.3, 0.01, 0.25)])
def test_another_number_fails_even_where_a_statement_is_missing(statuses, other):
    assert statuses((other, NONE))["claims.json, claim 1"] == "FAIL"
    assert statuses((other, STATEMENTS[1]))["claims.json, claim 1"] == "FAIL"


def test_other_statements_fail(statuses):
    assert statuses((STATEMENTS[0],))["claims.json, claim 1"] == "FAIL"


def test_the_papers_number_is_not_printed_where_nothing_was_measured(statuses):
    found = statuses(STATEMENTS, ("1. It helps", "not measured", "–", "–"))
    assert found["claims.md, line 1. It helps, column measured"] == "missing"
    assert "claims.md, line 1. It helps, column paper" not in found
    found = statuses(STATEMENTS, (*LINE[:2], "+0.350", LINE[3]))
    assert found["claims.md, line 1. It helps, column paper"] == "FAIL"


def test_a_number_that_became_zero_is_named():
    claims = [ExpectedClaim(1, "It helps", "undecided", ((value,),)) for value in (0.2, 0.0)]
    assert _claim(*claims, "equality").words.endswith("0.0, expected 0.2")


@pytest.mark.parametrize("is_open, status", [(True, "close"), (False, "FAIL")])
def test_an_effect_that_is_missed_only_because_a_statement_is_open_is_close(is_open, status):
    claims = [ExpectedClaim(1, "It helps", "found as built", ()), ExpectedClaim(1, "It helps", "missed", (), is_open)]
    assert _claim(*claims, "interval").status == status
    assert _claim(*reversed(claims), "interval").status == status
    assert _claim(*claims, "equality").status == "FAIL"


@pytest.mark.parametrize("words, is_open", [("holds open", True), ("open fails", False), ("holds", False)])
def test_a_claim_is_open_where_a_statement_is_and_none_fails(words, is_open, tmp_path: Path):
    content = json.loads((RESULTS / "claims.json").read_text(encoding="utf-8"))
    claim = next(each for each in content["claims"] if len(each["statements"]) >= len(words.split()))
    claim["statements"] = claim["statements"][: len(words.split())]
    for statement, word in zip(claim["statements"], words.split(), strict=True):
        statement["words"]["outcome"] = word
    (tmp_path / "claims.json").write_text(json.dumps(content), encoding="utf-8")
    assert next(each.open for each in claims_of(tmp_path) if each.number == claim["number"]) == is_open
