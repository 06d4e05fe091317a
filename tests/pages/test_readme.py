"""The README is short, names its limits, and its commands and Python run as they are written."""

from __future__ import annotations

import shutil

import pytest

from docs import claims_by_corpus
from docs.fill_readme import pages
from replicate.config import claims as definitions

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
            outcome, _, number = cell.partition(": ")
            assert (outcome, number) == ("not measured", "") or (
                outcome in {"reproduced", "contradicted", "undecided"} and number[0] in "+-"
            )


@pytest.mark.parametrize(
    ("relation", "words", "p", "expected"),
    [
        ("above", "a above (> 0.2) b", 0.0521, "undecided: +0.1 [-0.1, +0.3], p = 0.052, claimed > 0.2"),
        ("within", "a within (± 0.03) b", 0.00001, "undecided: +0.1 [-0.1, +0.3], p < 0.001, claimed ± 0.03"),
        (
            "least certain of",
            "sad in a has lower recall than b",
            1.0,
            "undecided: +0.1 [-0.1, +0.3], p = 1.000, claimed < 0",
        ),
        ("above", "a above (> 0) b", None, "undecided: +0.1 [-0.1, +0.3], claimed > 0"),
    ],
)
def test_a_claim_is_shown_with_the_p_that_decides_it(relation, words, p, expected):
    first = {
        "p": 0.9,
        "statement": {"relation": "above"},
        "words": {"text": "(> 9)", "outcome": "holds", "measured": "0"},
    }
    open_ = {
        "p": p,
        "statement": {"relation": relation},
        "words": {"text": words, "outcome": "open", "measured": "+0.1 [-0.1, +0.3]"},
    }
    assert claims_by_corpus.outcome({"outcome": "undecided", "statements": [first, open_]}) == expected


def test_no_control_is_in_the_table_of_claims():
    assert "synthetic" not in claims_by_corpus.table()


def test_pages_with_generated_blocks_are_found():
    assert ROOT / "README.md" in pages() and ROOT / "docs" / "results.md" in pages()


def test_the_commands_and_the_bundle_example_run(perform, smoke_out, tmp_path):
    shutil.copytree(smoke_out, tmp_path / "results")  # its commands write there
    perform(README)
    (code,) = [code for code in blocks(README, "python") if "Predictor" in code]
    assert len(eval(program("-c", code))) == 4


def test_the_python_example_runs(smoke_out, tmp_path, monkeypatch):
    """It loads completed runs; the example of ``test_python_api`` trains."""
    shutil.copytree(smoke_out, tmp_path / "results")
    (code,) = [code for code in blocks(README, "python") if "replicate.train" in code]
    monkeypatch.chdir(tmp_path)
    small = code.replace('"synthetic-small"', '"synthetic-tiny"').replace('"quick"', '"smoke"').replace("=3)", "=1)")
    f1, recall = map(float, program("-c", small).split()[:2])
    assert 0 <= f1 <= 1 and 0 <= recall <= 1
    assert (tmp_path / "my-bundle" / "model.onnx").is_file()
