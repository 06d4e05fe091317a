"""What only the JSON of a table and its page have, such as edge weights, is compared by writing it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.errors import NotThisFormat
from replicate.expected.agreement import agreement
from replicate.expected.conditions import conditions
from replicate.results.aggregate import Cost
from replicate.results.deployments import Deployment, Deployments
from replicate.results.edges import EdgeWeight
from tests.expected.conftest import result, write

EDGES = (
    EdgeWeight("plain", "homo", "text to audio", 0.25, (0.4375, 0.6875)),
    EdgeWeight("plain", "homo", "audio to text", None, (0.5, 0.375)),
)
COSTS = {"plain": Cost(2.0, 0.0), "a | b [4, 7]": Cost(5.5, 12.25)}


@pytest.fixture
def folder(tmp_path):
    """A results folder with edge weights, training costs and exported models."""
    made = result()
    runs = tuple(made.rows["plain"]["A"].runs)
    exported = Deployment("made", "plain", "fp32", runs, (0.25, 0.75), (0.5, 0.5), 1.5, 2.0, 7.75, 70.4)
    found = Deployments(1, "a processor", "1.0", 10, 8, (exported,))
    path = tmp_path / "made" / "smoke-paper"
    path.mkdir(parents=True)
    found.save(path)
    of = replace(made.table, cost="plain", deployments=True)
    return write(path, replace(made, table=of, edges=EDGES, costs=COSTS, deployments=found))


def failures(folder):
    return [each.cell for each in agreement(folder, conditions(folder)) if each.status == "FAIL"]


def test_what_was_written_agrees(folder):
    page = (folder / "made.md").read_text(encoding="utf-8")
    assert all(words in page for words in ("text to audio", "seconds per run", "F1 on dev"))
    assert failures(folder) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "cell"),
    [
        ("made.json", "0.4375,\n    0.6875", "0.4375,\n    0.6975", "made.md, line plain, column text to audio"),
        ("made.json", '"prior": 0.25', '"prior": 0.35', "made.md, line plain, column text to audio"),
        ("made.json", '"own": 5.5', '"own": 6.5', "made.md, line a | b [4, 7], column seconds per run"),
        ("made.json", '"teachers": 12.25', '"teachers": 13.25', "line a | b [4, 7], column seconds for its teachers"),
        ("made.json", '"p50": 1.5', '"p50": 1.6', "made.md, line plain, column ms"),
        ("made.json", '"p90": 2.0', '"p90": 3.0', "deployments.json, plain, fp32"),
        ("deployments.json", '"megabytes": 7.75', '"megabytes": 7.76', "deployments.json, plain, fp32"),
        ("made.md", " | 5.5 | ", " | 5.6 | ", "made.md, line a | b [4, 7], column seconds per run"),
    ],
)
def test_an_altered_digit_is_named(folder, name, old, new, cell):
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(cell in found for found in failures(folder))


EMPTY = ("0.4375,\n    0.6875\n", "")


@pytest.mark.parametrize(("old", "new"), [EMPTY, ('"own": 2.0', '"own": 0'), ('"dev_f1": [', '"dev_f1": [2, ')])
def test_numbers_that_cannot_be_written_are_refused(folder, old, new):
    text = (folder / "made.json").read_text(encoding="utf-8")
    assert old in text
    (folder / "made.json").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(NotThisFormat, match=r"cannot read .*made.json"):
        failures(folder)
