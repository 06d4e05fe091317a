"""The README is short, names its limits, and its commands and Python run as they are written."""

from __future__ import annotations

import shutil

import pytest

from docs import claims_by_corpus
from docs.fill_readme import pages
from replicate.config import claims as definitions
from replicate.config.claims import Statement

from .conftest import ROOT, blocks, program, text

README = "../README.md"


def test_it_is_short():
    assert 120 <= len(text(README).splitlines()) <= 180


def test_every_claim_has_an_outcome_on_every_measured_corpus():
    header, _, *lines = claims_by_corpus.table().splitlines()
    assert header.count("](docs/results/") == len(claims_by_corpus.columns()) > 0
    assert len(lines) == len(definitions.load()[1]) == 13
    for line in lines:
        for cell in line.strip("| ").split(" | ")[1:]:
            outcome, *statements = cell.split("<br>")
            judged = outcome in {"**reproduced**", "**contradicted**", "**undecided**"}
            assert judged or outcome in {"not measured", "partly measured"}
            assert bool(statements) == judged
            assert all(any(sign in each for sign in "+-") for each in statements)


def statement(outcome: str, p: float | None) -> dict[str, object]:
    return {"p": p, "words": {"outcome": outcome, "measured": "+0.1 [-0.1, +0.3]"}}


def test_every_statement_of_a_claim_is_shown_with_its_p():
    two = {"outcome": "undecided", "statements": [statement("holds", 0.00001), statement("open (0.02: open)", 0.0521)]}
    assert claims_by_corpus.outcome(two) == (
        "**undecided**<br>a: holds, +0.1 [-0.1, +0.3], p < 0.001<br>b: open, +0.1 [-0.1, +0.3], p = 0.052"
    )
    one = {"outcome": "contradicted", "statements": [statement("fails", None)]}
    assert claims_by_corpus.outcome(one) == "**contradicted**<br>+0.1 [-0.1, +0.3]"
    assert claims_by_corpus.outcome(None) == "not measured"
    for p, expected in ((None, "not measured"), (0.3, "partly measured")):
        assert claims_by_corpus.outcome({"outcome": None, "statements": [{"p": None}, {"p": p}]}) == expected


@pytest.mark.parametrize(
    ("stated", "words", "expected"),
    [
        (Statement("t/a/A", "above", "t/b/A"), "(> 0.2)", "a/A - b/A; > 0.2"),
        (Statement("t/a/A", "within", "u/a/A"), "(± 0.03)", "t/a/A - u/a/A; ± 0.03"),
        (Statement("t/a/A", "above", "t/b/A", None, "t/c/A", "t/d/A"), "(> 0)", "(a/A - c/A) - (b/A - d/A); > 0"),
        (
            Statement("t/a/A", "least certain of", emotion="sad"),
            "",
            "a/A: recall of sad - lowest recall of another class; < 0",
        ),
        (
            Statement("t/a/A", "evenly above", "t/b/A"),
            "(< 0.1)",
            "F1 of a/A over b/A: largest gain of a class - mean gain of all; < 0.1",
        ),
    ],
)
def test_a_comparison_is_named_by_its_cells_and_margin(stated, words, expected):
    assert claims_by_corpus.comparison(stated, words) == expected


def test_no_control_is_in_the_table_of_claims():
    assert "synthetic" not in claims_by_corpus.table()


def test_pages_with_generated_blocks_are_found():
    assert ROOT / "README.md" in pages() and ROOT / "docs" / "results.md" in pages()


def test_the_commands_and_the_bundle_example_run(perform, smoke_out, tmp_path):
    shutil.copytree(smoke_out, tmp_path / "results")  # its commands write there
    perform(README)
    (code,) = [code for code in blocks(README, "python") if "Predictor" in code]
    assert len(eval(program("-c", code))) == 4


@pytest.mark.slow
def test_the_python_example_runs(smoke_out, tmp_path, monkeypatch):
    """It loads completed runs; the example of ``test_python_api`` trains."""
    shutil.copytree(smoke_out, tmp_path / "results")
    (code,) = [code for code in blocks(README, "python") if "replicate.train" in code]
    monkeypatch.chdir(tmp_path)
    small = code.replace('"synthetic-small"', '"synthetic-tiny"').replace('"quick"', '"smoke"').replace("=3)", "=1)")
    f1, recall = map(float, program("-c", small).split()[:2])
    assert 0 <= f1 <= 1 and 0 <= recall <= 1
    assert (tmp_path / "my-bundle" / "model.onnx").is_file()
