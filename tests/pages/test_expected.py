"""docs/results/expected/ is what the committed results give, and every committed folder is as expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import expected
from docs.entries import measurements
from replicate.expected import choose, model, pages
from replicate.expected.pages import ExpectedPages
from replicate.report.checksums import NAME

FOLDER = expected.RESULTS / "expected"
NAMES = [one.folder for one in measurements()]


def test_the_files_are_those_of_the_committed_results(tmp_path):
    written = expected.write(tmp_path / "expected")
    assert {path.relative_to(tmp_path / "expected"): path.read_text(encoding="utf-8") for path in written} == {
        path.relative_to(FOLDER): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.json")
    }, "write them again: python -m docs.expected"


@pytest.mark.parametrize("name", NAMES)
def test_every_committed_folder_is_as_expected(name):
    report = choose.check(expected.RESULTS / name)
    assert report.against == str(FOLDER / f"{name.replace('/', '--')}.json")
    assert (report.rule, report.failed, report.notes) == ("equality", [], ())
    listed = [each.status for each in report.findings if each.cell == NAME]
    assert listed == ["OK"], "write it again: python -m docs.expected"


def test_every_cell_of_every_committed_table_is_expected():
    for name in NAMES:
        held = model.read(FOLDER / f"{name.replace('/', '--')}.json")
        cells = sum(len(grid.lines) * len(grid.titles) for page in held.pages for grid in page.grids)
        text = "".join(path.read_text(encoding="utf-8") for path in sorted((expected.RESULTS / name).glob("*.md")))
        rows = [line for line in text.splitlines() if line.startswith("|") and not re.fullmatch(r"[|:-]+", line)]
        heads = sum(1 for line in text.splitlines() if re.fullmatch(r"[|:-]+", line))
        assert cells and sum(len(grid.lines) for page in held.pages for grid in page.grids) == len(rows) - heads
        assert held.origin.commit and held.origin.processor


@pytest.mark.parametrize("corpus", ["ravdess4", "iemocap4-gemaps"])
def test_table_2_with_other_seeds_is_inside_twice_the_tolerance(corpus):
    report = choose.check(
        expected.RESULTS / "other-seeds" / corpus / "paper-paper", FOLDER / f"{corpus}--paper-paper.json"
    )
    assert (report.rule, report.why, report.failed) == ("interval", ("other seeds",), [])


def test_every_page_of_another_command_is_as_expected():
    found = {
        path
        for path in expected.RESULTS.rglob("*.md")
        if not any(path.is_relative_to(expected.RESULTS / name) for name in NAMES)
    }
    for path in found:
        report = pages.check(path)
        held = model.read(Path(report.against), ExpectedPages)
        page = next(each for each in held.pages if each.name == path.stem)
        findings = list(pages.findings(path, held, page, "equality"))
        assert findings and {each.status for each in findings} == {"not judged" if held.times else "OK"}
    assert len(found) == sum(len(each.pages) for each in expected.all_pages())
