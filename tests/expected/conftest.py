"""A results folder with every file that a command writes, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicate.config.tables import Row, Table
from replicate.expected import model
from replicate.expected.conditions import LIBRARIES
from replicate.expected.make import expected
from replicate.report import checksums, claims, page, tables
from replicate.results.aggregate import Comparison, TableResult
from replicate.training.config import Arm
from tests import cells
from tests.report import builders

MADE = Table(
    "made",
    "Masked training",
    "no paper",
    ("A", "AV"),
    tuple(Row(name, Arm("arm", "AV", ("A", "AV"), "A"), ("A", "AV")) for name in ("plain", "a | b [4, 7]")),
)
# Two seeds each.
SCORES = {("plain", "A"): (0.5, 0.625), ("plain", "AV"): (0.75, 0.8125)}
SCORES |= {("a | b [4, 7]", "A"): (0.5625, 0.59375), ("a | b [4, 7]", "AV"): (0.6875, 0.875)}


def result(seeds: tuple[int, ...] = (24, 25), shift: float = 0.0) -> TableResult:
    """A table whose scores all are higher by ``shift``."""
    rows = {
        row.name: {
            context: cells.cell([value + shift for value in SCORES[row.name, context]]) for context in row.contexts
        }
        for row in MADE.rows
    }
    difference = cells.made_estimate(0.015625, (-0.125, 0.25))
    compared = (Comparison("a | b [4, 7]/A", "plain/A", difference, 0.25, 0.5),)
    baselines = {"majority class": {"A": cells.cell([0.125])}}
    return builders.result(MADE, seeds=seeds, rows=rows, comparisons=compared, baselines=baselines, published_for="")


VERSIONS: dict[str, str | None] = {**dict.fromkeys(LIBRARIES, "1.0"), "code": "0123"}


def write(folder: Path, made: TableResult, outcome: str | None = "undecided", **fields: Any) -> Path:
    """Write everything that a command writes into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"versions": VERSIONS, "builds": {"MKL": "1"}, "git_commit": None, "git_clean": None, **fields}
    judged = [builders.claim(1, "of a table that is not there", outcome, None)]
    tables.write_all([made], folder, [*tables.STYLED])
    claims.write(builders.RULE, judged, made, folder)
    manifest = builders.manifest([made], **fields)
    manifest.save(folder)
    page.write(builders.outputs(folder, [made], judged), [], manifest)
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "figure.svg").write_text('<svg width="10"/>\n', encoding="utf-8")
    checksums.write(folder, [made.table.name])
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder."""
    return write(tmp_path / "made" / "smoke-paper", result())


@pytest.fixture
def against(results: Path, tmp_path: Path) -> Path:
    """What this folder should hold, in a file that an index vouches for."""
    return expected_file(results, tmp_path)


def expected_file(results: Path, tmp_path: Path) -> Path:
    """Write what a folder holds as expected results."""
    found = expected(results, "made/smoke-paper")
    folder = tmp_path / "expected"
    folder.mkdir()
    (folder / found.file_name).write_text(found.text(), encoding="utf-8")
    model.write_index(folder)
    return folder / found.file_name


Change = Callable[[str, str, str], None]


@pytest.fixture
def change(results: Path) -> Change:
    """Replace a text that occurs in a file of the folder, wherever it does."""

    def replaced(name: str, old: str, new: str) -> None:
        text = (results / name).read_text(encoding="utf-8")
        assert old in text
        (results / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return replaced
