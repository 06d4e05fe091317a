"""Every digit of every file of a results folder counts, and what is compared with nothing is named."""

from __future__ import annotations

import random
import re

import pytest

from replicate.errors import NoExpected, ReplicateError, ResultsDiffer
from replicate.expected import choose
from replicate.expected.changes import changes, not_compared
from replicate.expected.conditions import conditions
from replicate.report.checksums import NAME


def failures(results):
    return [each.cell for each in changes(results, ["made"]) if each.status == "FAIL"]


def altered(path, rng):
    """Yield the file with another digit at some places, one after the other."""
    before = path.read_bytes()
    places = [found.start() for found in re.finditer(rb"[0-9]", before)]
    for at in rng.sample(places, min(len(places), 12)):
        digit = rng.choice([each for each in b"0123456789" if each != before[at]])
        path.write_bytes(before[:at] + bytes([digit]) + before[at + 1 :])
        yield before[max(0, at - 30) : at + 30]
    path.write_bytes(before)


def test_any_digit_of_any_file_is_found_and_its_file_is_named(results, against):
    rng = random.Random(0)
    paths = sorted(path for path in results.rglob("*") if path.is_file())
    assert {path.suffix for path in paths} == {"", ".csv", ".html", ".json", ".md", ".svg", ".tex"}
    for path in paths:
        for place in altered(path, rng):
            try:
                named = [each.words for each in choose.check(results, against).failed]
            except ReplicateError as error:
                assert error.exit_code == 3, place
                named = [str(error)]
            assert any(path.name in words for words in named) or (named and path.name == NAME), place


def test_a_file_that_is_not_listed_fails_and_a_removed_one_is_missing(results):
    assert failures(results) == []
    (results / "made.md").unlink()
    (results / "figures" / "other.svg").write_text("<svg/>")
    assert failures(results) == ["figures/other.svg"]
    absent = [each.words for each in changes(results, ["made"]) if each.status == "missing"]
    assert absent == [f"made.md: no such file, expected a file ({NAME})"]


def test_what_is_compared_with_nothing_is_named(results, against):
    assert choose.check(results, against).not_compared == ()
    (results / "notes\x1b.txt").write_text("1")
    (results / "export").mkdir()
    assert choose.check(results, against).not_compared == ("'export/'", r"'notes\x1b.txt'")
    (results / NAME).unlink()
    report = choose.check(results, against)
    assert "figures" in report.not_compared[0] and "(1 file)" in report.not_compared[0] and not report.failed
    assert not [each for each in report.findings if each.cell == NAME]
    for i in range(20):
        (results / f"{i}.txt").write_text("")
    assert len(not_compared(results, ["made"])) == 12


def test_a_changed_manifest_is_named_also_where_it_is_of_another_corpus(results, against, change):
    digest = conditions(results).corpus_hash
    change("manifest.json", digest, f"1{digest[1:]}")
    with pytest.raises(ResultsDiffer, match=r"cannot be judged: manifest.json: SHA-256 .*; .* cannot be compared"):
        choose.check(results, against)
    (results / NAME).unlink()
    with pytest.raises(NoExpected):
        choose.check(results, against)


@pytest.mark.parametrize("content", ["x", f"{'0' * 64}  ../made.md\n"])
def test_a_malformed_list_fails(results, against, content):
    (results / NAME).write_text(content + "\n")
    failed = choose.check(results, against).failed
    assert [each.cell for each in failed] == [NAME] and failed[0].words.isprintable()
