"""The README is short, names its limits, and its commands and Python run as they are written."""

from __future__ import annotations

import shutil

from docs.fill_readme import RESULTS as MEASURED
from docs.fill_readme import Measured, claims, pages

from .conftest import ROOT, blocks, program, text

README = "../README.md"


def test_it_is_short():
    assert 120 <= len(text(README).splitlines()) <= 180


def test_every_measured_corpus_is_in_the_table_of_claims():
    found = [Measured.load(path.parent) for path in MEASURED.glob("*/*/claims.md")]
    header, _, *rows = claims().splitlines()
    assert len(found) == header.count("](docs/results/")
    assert len([row for row in rows if row[2].isdigit()]) == 10 == len(found[0].outcomes)
    for one in found:
        assert set(one.outcomes.values()) <= {"reproduced", "contradicted", "undecided", "not measured"}
        assert ("self-test" in header) >= one.synthetic


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
