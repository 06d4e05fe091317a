import io

import pytest
from rich.console import Console

from replicate.config.claims import Claim, Margins, Rule, Statement
from replicate.errors import CannotWrite
from replicate.report import claims
from replicate.results.claims import JudgedClaim, JudgedStatement
from replicate.results.statistics import Summary

from .conftest import made

RULE = Rule("one-sided paired permutation test over seeds", 0.05, Margins(0.0, 0.125, 0.0625))
CLOSE = Statement("table1/student/A", "hardly above", "table1/teacher/AV", None, "difference")
FAR = Statement("table2/COGMEN-A/A", "far above", "table2/COGMEN-AV/A", None, "difference")
EVEN = Statement("table2/COGMEN-Mask/A", "hardly above", "table2/COGMEN-A/A", 0.25, "unevenness")


def difference(mean):
    return Summary(mean, 0.125, 5, (mean - 0.125, mean + 0.125))


REPRODUCED = JudgedStatement(CLOSE, 0.0625, difference(-0.25), 0.03125, 1.0, True, -0.01)
CONTRADICTED = JudgedStatement(FAR, 0.125, difference(0.0), 1.0, 0.03125, False, 0.21)
UNEVEN = JudgedStatement(EVEN, 0.25, difference(0.125), 0.0625, 0.5, None, None)
MISSING = JudgedStatement(FAR, 0.125, None, None, None, None, None)

JUDGED = [
    JudgedClaim(Claim(1, "The student comes close | to its teacher", (CLOSE,)), (REPRODUCED,), "reproduced"),
    JudgedClaim(Claim(3, "COGMEN-AV falls far below", (FAR, EVEN)), (CONTRADICTED, UNEVEN), "contradicted"),
    JudgedClaim(Claim(6, "On no emotion much more", (EVEN,)), (UNEVEN,), "undecided"),
    JudgedClaim(Claim(7, "A better student", (CLOSE, FAR)), (REPRODUCED, MISSING), None),
]

RESULT = made(seeds=(24, 25, 26, 27, 28))


def test_markdown(golden):
    golden(claims.markdown(RULE, JUDGED, RESULT), "claims.md")


@pytest.mark.parametrize(("n", "named"), [(1, True), (4, True), (5, False)])
def test_too_few_seeds_are_named(n, named):
    text = claims.markdown(RULE, JUDGED, made(seeds=tuple(range(n))))
    assert (f"With {n} seed{'s' * (n > 1)} no p can be at or below 0.05: nothing can be decided." in text) is named


def test_one_seed_has_neither_interval_nor_p():
    single = JudgedStatement(CLOSE, 0.0625, Summary(0.25, None, 1, None), None, None, None, None)
    judged = [JudgedClaim(Claim(1, "A claim", (CLOSE,)), (single,), "undecided")]
    assert "| table1/teacher/AV | +0.250 | – | – |" in claims.markdown(RULE, judged, made(seeds=(24,)))


def test_files(tmp_path, golden):
    claims.write(RULE, JUDGED, RESULT, tmp_path / "new")
    folder = tmp_path / "new"
    assert sorted(path.name for path in folder.iterdir()) == ["claims.json", "claims.md"]
    assert (folder / "claims.md").read_text(encoding="utf-8") == claims.markdown(RULE, JUDGED, RESULT)
    golden((folder / "claims.json").read_text(encoding="utf-8"), "claims.json")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"claims\.md"):
        claims.write(RULE, JUDGED, RESULT, tmp_path / "file")


def test_the_screen_shows_every_claim_once_and_how_it_was_judged():
    out = io.StringIO()
    claims.show(RULE, JUDGED, RESULT, Console(file=out, width=200))
    lines = [line.strip() for line in out.getvalue().splitlines()]
    for claim in JUDGED:
        (line,) = [line for line in lines if line.startswith(f"{claim.claim.number}. ")]
        assert line.endswith(claim.outcome or "not all of its cells are measured")
    assert lines[0] == "The paper's claims on synthetic-tiny"
    assert any(line.startswith("Rule (tables/claims.toml)") for line in lines)
    assert any("n = 5 seeds" in line for line in lines)
