"""Which expected file is compared with a folder, by which rule, and which folders are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.errors import NoExpected, NotThisFormat
from replicate.expected import choose
from replicate.expected.agreement import agreement
from replicate.expected.conditions import conditions
from tests.expected.conftest import VERSIONS, expected_file, result, write


def test_the_same_runs_are_equal_and_all_cells_are_ok(results, against):
    report = choose.check(results, against)
    assert (report.rule, report.why, report.notes) == ("equality", (), ())
    assert {each.status for each in report.findings} == {"OK"}


def test_what_was_measured_on_neither_side_is_not_ok(tmp_path):
    made = write(tmp_path / "made", result(), outcome=None)
    report = choose.check(made, expected_file(made, tmp_path))
    assert [each.status for each in report.findings if each.cell == "claims.json, claim 1"] == ["not judged"]


def test_tables_of_another_metric_agree_and_have_no_expected_results(results, against, tmp_path):
    other = write(tmp_path / "other", replace(result(), metric="accuracy"))
    assert '"metric": "weighted_f1"' in (other / "manifest.json").read_text(encoding="utf-8")
    own = conditions(other)
    assert own.metric == "accuracy" and not [each for each in agreement(other, own) if each.status == "FAIL"]
    with pytest.raises(NoExpected, match=r"metric 'accuracy'.*show the metric of these"):
        choose.find(other, own, against.parent)


def test_names_and_published_numbers_are_no_cells_that_are_ok(results, against):
    printed = {each.cell for each in choose.check(results, against).findings if each.cell.startswith("made.md, ")}
    assert "made.md, line plain, column A inference" in printed
    assert not [cell for cell in printed if "name of" in cell or cell.endswith((" n", " first", " second"))]


def test_another_name_fails(results, against, change):
    change("made.md", "plain |", "other |")
    failed = [each.cell for each in choose.check(results, against).failed]
    assert "made.md, name of line 1" in failed


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"versions": VERSIONS | {"torch": "2.0"}}, "another version of torch"),
        ({"versions": VERSIONS | {"numpy": None}}, "version of numpy not recorded"),
        ({"device": "cuda"}, "another device"),
        ({"builds": {"MKL": "2"}}, "other builds of libraries"),
    ],
)
def test_another_machine_is_judged_by_the_interval(results, against, tmp_path, fields, why):
    report = choose.check(write(tmp_path / "other", result(), **fields), against)
    assert (report.rule, report.why) == ("interval", (why,)) and not report.failed


def test_other_seeds_are_judged_by_the_interval(results, against, tmp_path):
    # The deviation of plain/A is 0.0625 * sqrt(2): its interval with 2 and 2 seeds is 12.7 times as wide.
    status = {}
    for shift in (0.01, 1.5, 3.0):
        report = choose.check(write(tmp_path / str(shift), result((30, 31), shift)), against)
        assert report.why == ("other seeds",)
        found = [each for each in report.findings if each.cell == "scores.csv, made/plain/A"]
        status[shift] = [each.status for each in found]
    assert status == {0.01: ["OK"], 1.5: ["close"], 3.0: ["FAIL"]}


def test_another_commit_is_noted(results, against, tmp_path):
    other = write(tmp_path / "other", result(), versions=VERSIONS | {"code": "4567"})
    assert choose.check(other, against).notes == ("the folder is of code 4567, the expected results are of code 0123",)


def test_a_tree_that_was_not_clean_is_noted(results, against, tmp_path):
    other = write(tmp_path / "other", result(), git_commit="a" * 40, git_clean=False)
    assert choose.check(other, against).notes == (
        "files were changed since commit aaaaaaaaaaaa when the folder was trained",
    )


def test_another_corpus_is_refused(results, against, tmp_path):
    other = write(tmp_path / "other", replace(result(), corpus_hash="f" * 64))
    with pytest.raises(NoExpected, match=r"is of corpus 'iemocap4' \(f{12}\), and .* their numbers cannot be compared"):
        choose.check(other, against)
    with pytest.raises(NoExpected, match=r"its corpus is 'iemocap4' .*, and they are of 'iemocap4'"):
        choose.find(other, conditions(other), against.parent)


def test_the_file_is_found_by_corpus_profile_and_protocol(results, against):
    own = conditions(results)
    assert choose.find(results, own, against.parent)[0] == against
    with pytest.raises(NoExpected, match="profile 'paper'"):
        choose.find(results, replace(own, profile="paper"), against.parent)


def test_every_table_of_a_folder_may_lack(results, tmp_path):
    against = expected_file(results, tmp_path)
    for path in results.iterdir():
        if path.is_file() and path.name != "manifest.json":
            path.unlink()
    report = choose.check(results, against)
    assert report.judged == 0 and "OK" not in {each.status for each in report.findings if each.rule != "agreement"}


def test_no_results_folder(tmp_path):
    with pytest.raises(NotThisFormat, match=r"has no manifest.json: give a folder that `replicate run` wrote"):
        choose.check(tmp_path)
