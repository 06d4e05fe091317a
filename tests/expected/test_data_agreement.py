"""Companion cells are those of their own table, and published numbers of CSV and JSON are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.config import tables as definitions
from replicate.expected.conditions import conditions
from replicate.expected.data_agreement import of_table
from replicate.expected.lines import COMPARISONS, read_csv, read_scores
from replicate.report import tables
from tests import cells
from tests.expected.conftest import result
from tests.report import builders


@pytest.fixture
def folder(tmp_path):
    """Tables 2 and 3 of IEMOCAP, of which table 3 shows the scores of table 2, too."""
    scores = {"A": cells.cell([0.5, 0.625], published=0.75), "AV": cells.cell([0.25, 0.375], published=0.5)}
    made = []
    for name in ("table2", "table3"):
        of = definitions.table(name)
        rows = {row.name: {context: scores[context] for context in row.contexts} for row in of.rows}
        made.append(replace(result(), table=of, rows=rows, comparisons=(), published_for="release"))
    names = {row.name for row in made[0].table.rows} & {row.name for row in made[1].table.rows}
    made[1] = replace(made[1], companion={name: dict(made[0].rows[name]) for name in names})
    tables.write_all(made, tmp_path)
    builders.manifest(made, versions={}).save(tmp_path)
    return tmp_path


def failures(folder):
    scores, compared = read_scores(folder / "scores.csv"), read_csv(folder / "comparisons.csv", COMPARISONS)
    found = of_table(folder, "table3", scores, compared, conditions(folder))
    return [each.cell for each in found if each.status == "FAIL"]


def test_they_agree_until_a_digit_is_altered(folder):
    assert failures(folder) == []
    path = folder / "table2.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"std": 0.08838834764831845', '"std": 0.08838834764831846')
    )
    assert "table3.json, COGMEN-A/A, companion, std" in failures(folder)


def test_an_altered_published_number_is_named(folder):
    path = folder / "table3.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",0.75,", ",0.76,", 1))
    assert failures(folder) == ["table3.csv, COGMEN-A/A, published"]
