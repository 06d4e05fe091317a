"""Folders that lack something or contradict their manifest, and expected files that cannot be trusted."""

from __future__ import annotations

import json

import pytest

from replicate.errors import ExpectedEdited, NewerFormat, NoExpected, OldFormat, ReplicateError
from replicate.expected import choose, model
from replicate.expected.conditions import conditions
from replicate.report.checksums import NAME
from tests.expected.conftest import expected_file, result, write
from tests.hostile import NAME as HOSTILE

CELL = "scores.csv, made/plain/A"


@pytest.fixture(autouse=True)
def _without_hashes(results, against):
    """Files are judged by their content alone."""
    (results / NAME).unlink()


def statuses(results, against, cell=CELL):
    return [each.status for each in choose.check(results, against).findings if each.cell == cell]


def failed(results, against):
    return {each.cell for each in choose.check(results, against).failed}


@pytest.mark.parametrize("lines", [None, 1])
def test_scores_that_are_printed_and_not_there_fail(results, against, lines):
    path = results / "scores.csv"
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.unlink() if lines is None else path.write_text("".join(text[:lines]), encoding="utf-8")
    assert statuses(results, against) == ["missing"]
    assert {"made.md, line plain, column A inference", "made.json, plain/A, values"} <= failed(results, against)


def test_an_empty_file_of_scores_is_refused(results, against):
    (results / "scores.csv").write_text("", encoding="utf-8")
    with pytest.raises(ReplicateError, match=r"cannot read .*scores.csv \(there is no column table"):
        choose.check(results, against)


@pytest.mark.parametrize("value", ["nan", "inf", "", "0.5x"])
def test_a_score_that_is_no_number_is_never_ok(results, against, change, value):
    change("scores.csv", "24,,weighted_f1,0.5\n", f"24,,weighted_f1,{value}\n")
    assert statuses(results, against) == ["missing"] and failed(results, against)


def test_nothing_is_measured_where_a_claim_is_not_judged(tmp_path):
    made = write(tmp_path / "made", result(), outcome=None)
    (tmp_path / "one").mkdir()
    against = expected_file(made, tmp_path / "one")
    for path in made.iterdir():
        if path.is_file() and path.name != "manifest.json":
            path.unlink()
    report = choose.check(made, against)
    assert report.judged == 0 and "OK" not in {each.status for each in report.findings if each.rule != "agreement"}


def test_a_removed_table_is_missing(results, against):
    for suffix in ("md", "csv", "json", "tex", "tabular.tex", "booktabs.tex", "plain.tex"):
        (results / f"made.{suffix}").unlink()
    report = choose.check(results, against)
    assert not report.failed and report.missing and report.judged
    assert {each.status for each in report.findings if each.cell.startswith("made.")} == {"missing"}


def test_fewer_seeds(results, against, tmp_path, change):
    text = (results / "scores.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (results / "scores.csv").write_text("".join(line for line in text if ",25,," not in line), encoding="utf-8")
    assert "scores.csv, made/plain/A, weighted_f1, seeds" in failed(results, against)
    change("manifest.json", "24,\n  25\n", "24\n")
    report = choose.check(results, against)
    assert report.rule == "interval" and report.why == ("other seeds",)


def test_rows_of_other_arms_are_missing_and_not_ok(results, against):
    for path in results.glob("*.*"):
        path.write_text(path.read_text(encoding="utf-8").replace("plain", "other"), encoding="utf-8")
    assert statuses(results, against) == ["missing"] and statuses(results, against, "scores.csv, made/other/A") == []


@pytest.mark.parametrize(("number", "error"), [(1, OldFormat), (3, NewerFormat)])
def test_a_manifest_of_another_format_is_refused(results, against, change, number, error):
    change("manifest.json", '"format": 2', f'"format": {number}')
    with pytest.raises(error, match=r"manifest.json"):
        choose.check(results, against)


def test_a_malformed_table_is_named(results, against, change):
    change("made.json", '"n": 2', '"n": 02')
    with pytest.raises(ReplicateError, match=r"cannot read .*made.json"):
        choose.check(results, against)


def edit(path, **fields):
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | fields), encoding="utf-8")


def test_an_edited_index_is_refused(results, against):
    index, own = against.parent / model.INDEX, conditions(results)
    edit(index, files={against.name: "0" * 64})
    with pytest.raises(ExpectedEdited, match=r"its SHA-256 is not the one in index\.json"):
        choose.check(results, against)
    edit(index, files={})
    with pytest.raises(ExpectedEdited, match=r"index.json was edited: it does not name 'made--smoke-paper.json'"):
        choose.find(results, own, against.parent)
    assert "in no index" in choose.check(results, against).notes[0]
    edit(index, format=2)
    with pytest.raises(NewerFormat, match=r"index.json"):
        choose.check(results, against)
    index.write_text("{", encoding="utf-8")
    with pytest.raises(NoExpected, match=r"cannot read .*index.json .*: restore it"):
        choose.check(results, against)


def test_an_expected_file_of_a_newer_format_is_refused(results, against):
    edit(against, format=2)
    model.write_index(against.parent)
    with pytest.raises(NewerFormat, match=r"format 2, this version reads 1"):
        choose.check(results, against)


@pytest.mark.parametrize("field", ["folder", "rule", "cells", "pages", "claims", "origin"])
def test_text_of_an_expected_file_is_never_printed_raw(results, against, field):
    edit(against, **{field: f"\x1b[31m\u202e{HOSTILE}\n" * 1000})
    (against.parent / model.INDEX).unlink()
    try:
        words = [choose.check(results, against).notes[0]]
    except ReplicateError as error:
        words = [str(error)]
    assert all(each.isprintable() and len(each) < 1000 for each in words)
