"""Pages that other commands than ``replicate run`` wrote, against expected ones."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from replicate.errors import ExpectedEdited, NoExpected, NotThisFormat
from replicate.expected import model, pages
from replicate.expected.model import laid_out, write_index
from replicate.machine import processor

PAGE = """# A page of 2 tables

| model | inference | float32 |
|---|---|---:|
| COGMEN | A | 0.662 ± 0.038 |
| COGMEN | AV | 0.599 ± 0.018 |

| what | of 10 | holds | width |
|---|---|---:|---:|
| one cell | 10 | 94.0% ± 0.5% | 0.227 |

In 12 of 36 cases, and -0.003 on average.
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Judge a changed page against ``PAGE`` with four seeds; statuses by the cell's name, and the report."""
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "expected" / "pages").mkdir(parents=True)
    monkeypatch.setattr(pages, "packaged", lambda: tmp_path / "expected")

    def call(old: str = "", new: str = "", where: str = processor(), versions=(), labels: int = 2, times: bool = False):
        page = pages.expected(tmp_path / "page.md", 4)
        made = where, "", dict(versions)
        known = pages.ExpectedPages(model.FORMAT, "entry", *made, 4, labels, times, pages.RULE, (page,))
        (tmp_path / "expected" / "pages" / "entry.json").write_text(laid_out(asdict(known)), encoding="utf-8")
        write_index(tmp_path / "expected" / "pages")
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "page.md").write_text(PAGE.replace(old, new) if old else PAGE, encoding="utf-8")
        report = pages.check(tmp_path / "other" / "page.md")
        return {each.cell.removeprefix("page.md, "): each.status for each in report.findings}, report

    return call


def test_the_same_page_is_as_expected(check):
    statuses, report = check()
    assert set(statuses.values()) == {"OK"} and len(statuses) == 4
    assert report.rule == "equality"


def test_a_digit_that_was_altered_fails_and_is_named(check):
    assert check("0.599", "0.598")[0]["line COGMEN, AV, column float32"] == "FAIL"
    assert check("12 of", "13 of")[0]["notes"] == "FAIL"
    assert check("-0.003", "0.003")[0]["notes"] == "FAIL"
    assert check("0.227", "0.228")[0]["line one cell, column width"] == "FAIL"
    assert check("| one cell | 10", "| one cell | 11")[0]["line one cell, column of 10"] == "FAIL"


def test_what_was_added_fails(check):
    assert check("| COGMEN | AV", "| COGMEN | V | 0.999 ± 0.001 |\n| COGMEN | AV")[0]["model"] == "FAIL"
    assert check("In 12", "| more |\n|---|\n| 1 |\n\nIn 12")[0]["tables"] == "FAIL"


def test_on_another_processor_lines_are_found_by_their_names(check):
    lines = [line for line in PAGE.splitlines(keepends=True) if line.startswith("| COGMEN")]
    statuses, _ = check("".join(lines), "".join(reversed(lines)), "another processor")
    assert statuses["line COGMEN, AV, column float32"] == statuses["line COGMEN, A, column float32"] == "OK"
    statuses, _ = check("| COGMEN | AV", "| COGMEN | V", "another processor")
    assert statuses["line COGMEN, AV, column float32"] == "missing"
    assert statuses["line COGMEN, A, column float32"] == "OK"


def test_lines_with_the_same_name_are_found_by_their_place(check):
    assert set(check(where="another processor", labels=1)[0].values()) == {"OK", "not judged"}
    statuses, _ = check("| COGMEN | AV", "| other | AV", "another processor", labels=1)
    assert statuses["line COGMEN, AV, column float32"] == "missing"


def test_with_another_version_of_a_library_the_interval_counts(check):
    _, report = check(versions=[("torch", "0.1")])
    assert (report.rule, report.why) == ("interval", ("another version of torch",))


@pytest.mark.parametrize("where", ["another processor", ""])
def test_on_another_processor_the_interval_counts(check, where):
    # t(3) · 0.018 · sqrt(2 / 4) = 0.0405; 1.96 · sqrt(2) · 0.5 % = 1.386 %
    for mean, status in (("0.639", "OK"), ("0.640", "close"), ("0.680", "close"), ("0.681", "FAIL")):
        statuses, report = check("0.599", mean, where)
        assert statuses["line COGMEN, AV, column float32"] == status
        assert report.rule == "interval" and len(report.why) == 1
    for share, status in (("95.3%", "OK"), ("95.5%", "close"), ("97.0%", "FAIL")):
        assert check("94.0%", share, where)[0]["line one cell, column holds"] == status
    assert check("0.227", "0.300", where)[0]["line one cell, column width"] == "not judged"


def test_a_table_that_was_removed_is_missing(check):
    statuses, _ = check(PAGE[PAGE.index("| what") : PAGE.index("In 12")], "")
    assert statuses["line one cell, column width"] == "missing"


def test_times_are_not_judged(check):
    statuses, report = check("0.599", "0.999", times=True)
    assert set(statuses.values()) == {"not judged"} and not report.judged


def test_a_page_of_another_name_is_refused(check, tmp_path):
    check()
    (tmp_path / "another.md").write_text(PAGE, encoding="utf-8")
    with pytest.raises(NoExpected, match=r"has no page called 'another\.md'"):
        pages.check(tmp_path / "another.md")


def test_what_is_no_text_is_refused(check, tmp_path):
    check()
    (tmp_path / "page.md").unlink()
    for make in (lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xd0\x00"), lambda path: os.mkfifo(path)):
        with pytest.raises(NotThisFormat, match="there is no page"):
            pages.check(tmp_path / "page.md")
        make(tmp_path / "page.md")
        with pytest.raises(NotThisFormat):
            pages.check(tmp_path / "page.md")
        path = tmp_path / "page.md"
        path.rmdir() if path.is_dir() else path.unlink()


def test_an_expected_page_that_was_edited_is_refused(check, tmp_path):
    check()
    path = tmp_path / "expected" / "pages" / "entry.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.599", "0.598"), encoding="utf-8")
    with pytest.raises(ExpectedEdited):
        pages.check(tmp_path / "other" / "page.md")


def test_the_content_of_an_expected_file_is_json(check, tmp_path):
    check()
    content = json.loads((tmp_path / "expected" / "pages" / "entry.json").read_text(encoding="utf-8"))
    assert content["pages"][0]["grids"][0]["tolerances"][1][2] == pytest.approx(0.0405, abs=1e-4)
