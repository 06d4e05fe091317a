import io
import json

import pytest
from rich.console import Console

from replicate.errors import CannotWrite
from replicate.report import claims
from replicate.results.claims import Claim, JudgedClaim, JudgedStatement, Margins, Rule, Statement
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

MARKDOWN = """\
**The paper's claims on synthetic-tiny**

| claim | outcome | first | relation | second | measured [95 % interval] | p | paper | statement |
|---|---|---|---|---|---:|---:|---:|---:|
| 1. The student comes close \\| to its teacher | reproduced | table1/student/A | hardly above (< 0.0625) | \
table1/teacher/AV | -0.250 [-0.375, -0.125] | 0.031 | -0.010 | holds |
| 3. COGMEN-AV falls far below | contradicted | table2/COGMEN-A/A | far above (> 0.125) | table2/COGMEN-AV/A | \
+0.000 [-0.125, +0.125] | 1.000 | +0.210 | fails |
|  |  | table2/COGMEN-Mask/A | gains over (< 0.25) | table2/COGMEN-A/A | +0.125 [+0.000, +0.250] | 0.062 | – | open |
| 6. On no emotion much more | undecided | table2/COGMEN-Mask/A | gains over (< 0.25) | table2/COGMEN-A/A | \
+0.125 [+0.000, +0.250] | 0.062 | – | open |
| 7. A better student | not all of its cells are measured | table1/student/A | hardly above (< 0.0625) | \
table1/teacher/AV | -0.250 [-0.375, -0.125] | 0.031 | -0.010 | holds |
|  |  | table2/COGMEN-A/A | far above (> 0.125) | table2/COGMEN-AV/A | – | – | – | not measured |

Rule (tables/claims.toml): one-sided paired permutation test over seeds; a statement holds at p <= 0.05, fails where \
the opposite does, and is open otherwise. A claim is reproduced if all its statements hold, contradicted if one \
fails.  \n\
Measured on synthetic-tiny (0123456789ab), protocol paper, profile smoke, n = 5 seeds; the paper's differences are of \
its published means on IEMOCAP-4.  \n\
Synthetic corpus: generated – no replication.  \n"""


def test_markdown():
    assert claims.markdown(RULE, JUDGED, RESULT) == MARKDOWN


@pytest.mark.parametrize(("n", "told"), [(1, True), (4, True), (5, False)])
def test_too_few_seeds_are_told(n, told):
    text = claims.markdown(RULE, JUDGED, made(seeds=tuple(range(n))))
    assert (f"With {n} seed{'s' * (n > 1)} no p can be at or below 0.05: nothing can be decided." in text) is told


def test_one_seed_has_neither_interval_nor_p():
    single = JudgedStatement(CLOSE, 0.0625, Summary(0.25, None, 1, None), None, None, None, None)
    judged = [JudgedClaim(Claim(1, "A claim", (CLOSE,)), (single,), "undecided")]
    assert "| table1/teacher/AV | +0.250 | – | – |" in claims.markdown(RULE, judged, made(seeds=(24,)))


def test_files(tmp_path):
    claims.write(RULE, JUDGED, RESULT, tmp_path / "new")
    folder = tmp_path / "new"
    assert sorted(path.name for path in folder.iterdir()) == ["claims.json", "claims.md"]
    assert (folder / "claims.md").read_text(encoding="utf-8") == MARKDOWN
    content = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    assert list(content) == ["corpus", "profile", "protocol", "seeds", "rule", "claims"]
    assert content["corpus"] == {
        "name": "synthetic-tiny",
        "hash": "0123456789abcdef" * 4,
        "notes": ["synthetic corpus: generated – no replication"],
    }
    assert (content["profile"], content["protocol"], content["seeds"]) == ("smoke", "paper", [24, 25, 26, 27, 28])
    assert content["rule"] == {
        "test": RULE.test,
        "level": 0.05,
        "margins": {"above": 0.0, "far": 0.125, "hardly": 0.0625},
    }
    assert [(each["number"], each["outcome"]) for each in content["claims"]] == [
        (1, "reproduced"),
        (3, "contradicted"),
        (6, "undecided"),
        (7, None),
    ]
    assert content["claims"][1]["text"] == "COGMEN-AV falls far below"
    assert content["claims"][1]["statements"][0] == {
        "statement": {
            "first": "table2/COGMEN-A/A",
            "relation": "far above",
            "second": "table2/COGMEN-AV/A",
            "margin": None,
            "measure": "difference",
            "first_minus": "",
            "second_minus": "",
        },
        "margin": 0.125,
        "difference": {"mean": 0.0, "std": 0.125, "n": 5, "ci95": [-0.125, 0.125]},
        "p": 1.0,
        "p_opposite": 0.03125,
        "holds": False,
        "published": 0.21,
    }
    assert content["claims"][3]["statements"][1]["difference"] is None


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
