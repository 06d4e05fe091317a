"""Hours of entries: from origin.json and costs.json, the cheapest first, those never measured last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs import costs
from docs.costs import Cost
from docs.entries import RESULTS, Command, Measurement, everything
from tests.expected.conftest import result, write

TRAINED = Measurement("a/quick-paper", "a", ("table2",))
TIMED = Command("timed", "", ("t.md",), ("python -m docs.x {out}/t.md",))
BOTH = Command("both", "", ("b.md",), ("replicate sweep recipe --out {out}", "python -m docs.x"))
NEVER = Command("never", "", ("n.md",), ("python -m docs.x",))
MACHINE = {"processor": "p", "cores": 2}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of ``TRAINED``: 5 seconds of training, and of ``TIMED``."""
    from replicate.expected.conditions import of_manifest

    source = write(tmp_path / "source", result())
    target = tmp_path / "results"
    (target / TRAINED.folder).mkdir(parents=True)
    of_manifest(source).save(target / TRAINED.folder)
    costs.save({"timed": Cost(None, 1.0)}, MACHINE, target)
    return target


def test_training_counts_half_on_two_cores_and_other_time_whole():
    assert Cost(7200.0, None).hours == 1
    assert Cost(7200.0, 1800.0).hours == 1.5 and Cost(None, 1800.0).words == "0.50"
    assert Cost(7200.0, None, complete=False).words == "more than 1.00"
    assert Cost(None, None, complete=False).words == costs.NEVER


def test_the_cheapest_is_first_and_what_was_never_measured_last(results):
    seconds = costs.measured(TRAINED, results).training_seconds
    assert seconds == json.loads((results / TRAINED.folder / "origin.json").read_text())["training_seconds"] > 0
    for other, expected in ((seconds / 4, ["timed", TRAINED.name]), (seconds, [TRAINED.name, "timed"])):
        costs.save({"timed": Cost(None, other)}, MACHINE, results)
        found = costs.in_order([NEVER, TRAINED, TIMED], results)
        assert [entry.name for entry in found] == [*expected, "never"]


def test_an_entry_measured_in_part_is_marked(results):
    costs.save({"both": Cost(3600.0, None)}, MACHINE, results)
    assert costs.measured(BOTH, results).words == "more than 0.50"
    assert costs.summary([BOTH, TIMED, NEVER], results) == (
        "0.5 hours on 2 cores for the 2 that were measured, 1 of them in part; 1 never were"
    )
    costs.save({"both": Cost(3600.0, 3600.0)}, MACHINE, results)
    assert costs.measured(BOTH, results).words == "1.50"


def test_costs_of_other_entries_are_kept(results):
    costs.save({"both": Cost(10.0, None)}, MACHINE, results)
    costs.save({TRAINED.name: Cost(None, None)}, MACHINE, results)  # its training time is in origin.json
    assert json.loads((results / "costs.json").read_text()) == {
        "both": {"training_seconds": 10.0, **MACHINE},
        "timed": {"other_seconds": 1.0, **MACHINE},
    }


def test_training_time_is_that_of_the_runs_that_results_name(tmp_path):
    store = tmp_path / "runs"
    for run, seconds in (("one", 1.5), ("two", 2.25), ("unused", 100.0)):
        (store / run).mkdir(parents=True)
        (store / run / "run.json").write_text(json.dumps({"seconds": seconds}))
    folder = BOTH.own(tmp_path) / "below"
    folder.mkdir(parents=True)
    (folder / "sweep-recipe.json").write_text(json.dumps({"runs": ["one", "two"]}))
    assert costs.of_run(BOTH, tmp_path, 4.0) == Cost(3.75, 4.0)
    assert costs.of_run(TIMED, tmp_path, 4.0) == Cost(None, 4.0)


def test_the_committed_costs_are_of_entries():
    names = {entry.name for entry in everything()}
    assert set(json.loads((RESULTS / "costs.json").read_text(encoding="utf-8"))) <= names
    # Every table that is committed says what its training took.
    assert all(costs.measured(entry).training_seconds for entry in everything() if isinstance(entry, Measurement))


def test_the_block_has_every_entry_in_order():
    lines = [line for line in costs.block().splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == [entry.name for entry in costs.in_order(everything())]
