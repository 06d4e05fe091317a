import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from replicate.config.claims import Claim, Margins, Rule, Statement
from replicate.errors import CannotWrite
from replicate.report import claims, saved_claims, statements
from replicate.results.claims import JudgedClaim, JudgedStatement, Measured
from replicate.results.sizes import Needed

from .conftest import made

RULE = Rule("two-sided p over seeds and dialogues", 0.05, Margins(0.0, 0.125, 0.0625, 0.25), (0.0625, 0.25))
CLOSE = Statement("table1/student/A", "within", "table1/teacher/AV")
FAR = Statement("table2/COGMEN-A/A", "far above", "table2/COGMEN-AV/A")
EVEN = Statement("table2/COGMEN-Mask/A", "evenly above", "table2/COGMEN-A/A", 0.25)
SAD = Statement("table1/student/A", "least certain of", emotion="sad")
COSTS = Statement("t/a/AV", "above", "t/b/AV", first_minus="t/c/A", second_minus="t/d/A")


def measured(value, emotion=""):
    return Measured(value, (value - 0.125, value + 0.125), 5, emotion)


REPRODUCED = JudgedStatement(
    CLOSE, 0.0625, measured(0.03125), 0.03125, True, -0.01, None, ((0.0625, True), (0.25, None))
)
CONTRADICTED = JudgedStatement(FAR, 0.125, measured(0.0), 0.0001, False, 0.21)
UNEVEN = JudgedStatement(EVEN, 0.25, measured(0.125, "happy"), 0.0625, None, None, Needed(25))
UNCERTAIN = JudgedStatement(SAD, 0.0, measured(-0.125, "angry"), 0.5, None, None, Needed(dialogues=80))
OPEN = JudgedStatement(COSTS, 0.0, measured(0.0), 1.0, None, 0.015, Needed())
MISSING = JudgedStatement(FAR, 0.125)

JUDGED = [
    JudgedClaim(Claim(1, "The student comes close | to its teacher", (CLOSE,)), (REPRODUCED,), "reproduced"),
    JudgedClaim(Claim(3, "COGMEN-AV falls far below", (FAR, EVEN)), (CONTRADICTED, UNEVEN), "contradicted"),
    JudgedClaim(Claim(6, "On no emotion much more", (EVEN,)), (UNEVEN,), "undecided"),
    JudgedClaim(Claim(7, "A better student", (CLOSE, FAR)), (REPRODUCED, MISSING), None),
    JudgedClaim(Claim(11, "Least certain of sad", (SAD, COSTS)), (UNCERTAIN, OPEN), "undecided"),
]

RESULT = made(seeds=(24, 25, 26, 27, 28), corpus="ravdess4", control="", notes=())


def test_markdown(golden):
    golden(claims.markdown(RULE, JUDGED, RESULT), "claims.md")


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        (None, "–"),
        (Needed(25), "about 25 seeds"),
        (Needed(None, 80), "not by seeds: about 80 test dialogues"),
        (Needed(None, 80, True), "not by seeds: about 80 test speakers"),
        (Needed(1000, 1200), "about 1,000 seeds and 1,200 test dialogues"),
        (Needed(), "too close to the margin for any size"),
    ],
)
def test_what_would_decide_a_statement(needed, words):
    assert statements.to_decide(needed) == words


@pytest.mark.parametrize(("n", "named"), [(1, True), (2, False)])
def test_a_single_seed_is_named(n, named):
    text = claims.markdown(RULE, JUDGED, made(seeds=tuple(range(n))))
    assert ("With 1 seed there is neither interval nor p" in text) is named


def test_one_seed_has_neither_interval_nor_p():
    single = JudgedStatement(CLOSE, 0.0625, Measured(0.25, None, 1), None, None, None, Needed(2))
    judged = [JudgedClaim(Claim(1, "A claim", (CLOSE,)), (single,), "undecided")]
    text = claims.markdown(RULE, judged, made(seeds=(24,)))
    assert "| table1/teacher/AV | +0.250 | – | – | open | about 2 seeds |" in text


def test_another_metric_of_the_tables_is_named():
    assert "Claims are about weighted F1" in claims.markdown(RULE, JUDGED, made(metric="ua"))
    assert "Claims are about weighted F1" not in claims.markdown(RULE, JUDGED, RESULT)


def test_what_is_written_can_be_read(tmp_path):
    claims.write(RULE, JUDGED, RESULT, tmp_path)
    assert saved_claims.read(tmp_path) == claims.saved(JUDGED)
    first, *_ = saved_claims.read(tmp_path)
    assert (first.number, first.outcome, len(first.statements)) == (1, "reproduced", 1)
    assert first.statements[0].measured == "+0.031 [-0.094, +0.156]"


def test_files(tmp_path, golden):
    claims.write(RULE, JUDGED, RESULT, tmp_path / "new")
    folder = tmp_path / "new"
    assert sorted(path.name for path in folder.iterdir()) == ["claims.json", "claims.md"]
    assert (folder / "claims.md").read_text(encoding="utf-8") == claims.markdown(RULE, JUDGED, RESULT)
    golden((folder / "claims.json").read_text(encoding="utf-8"), "claims.json")


@pytest.mark.parametrize(
    ("control", "outcomes", "words"),
    [
        ("positive", ("found as built", "missed", "not built in"), "and missed otherwise"),
        ("negative", ("nothing found, as built", "found although not built in", "not tested"), "found although not"),
    ],
)
def test_a_control_has_its_own_words_and_no_number_of_the_paper(control, outcomes, words, tmp_path):
    result = made(control=control)
    judged = [
        replace(each, outcome=outcome, control=control) for each, outcome in zip(JUDGED[:3], outcomes, strict=True)
    ]
    text, out = claims.markdown(RULE, judged, result), io.StringIO()
    claims.show(RULE, judged, result, Console(file=out, width=250))
    claims.write(RULE, judged, result, tmp_path)
    saved = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    assert saved["corpus"]["control"] == control and [each["outcome"] for each in saved["claims"]] == [*outcomes]
    assert [each.outcome for each in saved_claims.read(tmp_path)] == [*outcomes]
    for written in (text, out.getvalue()):
        assert all(outcome in written for outcome in outcomes) and words in written
        assert f"Self-test on the {control} control synthetic-tiny" in written
        assert "reproduced" not in written and "IEMOCAP" not in written
    assert "| paper |" not in text and "+0.210" not in text
    assert [saved_claims.expected(outcome) for outcome in outcomes] == [True, False, True]
    assert saved_claims.expectation(saved_claims.read(tmp_path)) == "as built"


def test_only_a_reproduced_claim_is_as_expected_on_data():
    assert [saved_claims.expected(each.outcome) for each in JUDGED] == [True, False, False, False, False]
    assert saved_claims.expectation(claims.saved(JUDGED)) == "reproduced"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"claims\.md"):
        claims.write(RULE, JUDGED, RESULT, tmp_path / "file")


def test_the_screen_shows_every_claim_with_its_statements_and_how_they_were_judged():
    out = io.StringIO()
    claims.show(RULE, JUDGED, RESULT, Console(file=out, width=250))
    assert not any(line.endswith("  ") for line in out.getvalue().splitlines())
    lines = [line.strip() for line in out.getvalue().splitlines()]
    for claim in JUDGED:
        (place,) = [i for i, line in enumerate(lines) if line.startswith(f"{claim.claim.number}. ")]
        assert (claim.outcome or "not all of its cells are measured") in lines[place]
        for line, each in zip(lines[place + 1 :], claim.statements, strict=False):
            assert line.startswith(f"{statements.in_one(each)}: {statements.state(each)}")
            if each.measured is not None:
                assert statements.measured(each.measured) in line
            if each.needed is not None:
                assert line.endswith(f"; to decide it: {statements.to_decide(each.needed)}")
    assert lines[0] == "The paper's claims on ravdess4"
    assert any(line.startswith("Rule (tables/claims.toml)") for line in lines)
    assert any("n = 5 seeds" in line for line in lines)
