"""`replicate check results`: what it prints, and its exit codes."""

from __future__ import annotations

import json

from tests.expected.conftest import against, change, results

__all__ = ["against", "change", "results"]


def test_all_cells_are_as_expected(replicate, results, against):
    done = replicate("check", "results", results, "--against", against)
    assert done.status == 0 and "judged by equality" in done.stdout
    assert done.stderr == f"no cell of {results} fails\n"


def test_one_altered_digit_exits_with_3_and_is_named(replicate, results, against, change):
    change("scores.csv", "24,,weighted_f1,0.5\n", "24,,weighted_f1,0.4\n")
    done = replicate("check", "results", results, "--against", against)
    assert done.status == 3
    assert "FAIL    scores.csv, made/plain/A, seed 24, weighted_f1: 0.4, expected 0.5\n" in done.stdout
    assert done.stderr.startswith("error (results differ): ") and done.stderr.count("\n") == 1


def test_json(replicate, results, against, change):
    change("made.md", "0.562 ±", "0.462 ±")
    done = replicate("check", "results", results, "--against", against, "--json")
    content = json.loads(done.stdout)
    assert done.status == 3 and content["rule"] == "equality" and content["failed"] > 0
    assert content["counts"]["made"]["FAIL"] == 1


def test_nothing_measured_is_an_error(replicate, results, against):
    for path in results.iterdir():
        if path.is_file() and path.name != "manifest.json":
            path.unlink()
    done = replicate("check", "results", results, "--against", against)
    assert done.status == 1 and done.stderr.startswith("error (not measured): ")


def test_an_edited_expected_file_exits_with_3(replicate, results, against):
    against.write_text(against.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = replicate("check", "results", results, "--against", against)
    assert done.status == 3 and done.stderr.startswith("error (expected edited): ")


def test_names_of_a_folder_cannot_control_the_terminal(replicate, results, against, change):
    change("scores.csv", "made,plain,A,24,,weighted_f1,0.5\n", "made,\x1b[31m\u202eplain,A,24,,weighted_f1,0.5\n")
    done = replicate("check", "results", results, "--against", against)
    assert done.status == 3 and "\x1b" not in done.stdout and "\u202e" not in done.stdout
