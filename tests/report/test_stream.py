"""Tables are shown once all of their runs are complete, and are those that the end of the command writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.experiment import collect
from replicate.report.stream import Stream
from replicate.runner.progress import Progress
from replicate.store.record import EpochRecord
from tests.experiment.builders import plant, prepare


@pytest.fixture
def command(tmp_path):
    """Two tables of one seed whose runs are in the store."""
    made = prepare(tmp_path, ("table2", "table4"), seeds="24,")
    plant(made)
    return made


def stream(command, todo, show, names=("table2", "table4")):
    return Stream(command.completed, command.context, todo, show, names)


def test_a_table_is_shown_after_its_last_run_and_once(command):
    shown, passed = [], []
    tasks = {task.spec.arm.name: task for task in command.plan.tasks.values()}
    todo = [tasks[name] for name in ("COGMEN-A", "HuBERT-A", "COGMEN-Mask")]
    found = stream(command, todo, lambda result: shown.append(result.table.name))
    callback = found.after(passed.append)
    found.show_complete()
    seen = []
    for task in todo:
        callback(Progress(task, EpochRecord(1, 1.0, 1.0, 0.5, 1e-3)))
        seen.append(list(shown))
        callback(Progress(task, None))
        seen.append(list(shown))
    assert seen == [[], [], [], ["table4"], ["table4"], ["table4", "table2"]]
    assert [each.task for each in passed] == [task for task in todo for _ in range(2)]
    # What was computed is what the end of the command computes, and it is used there.
    known = found.results
    assert all(each is known[each.table.name] for each in collect.tables(command.completed, known))
    for one in collect.tables(command.completed):
        other = known[one.table.name]
        assert one.to_pandas().equals(other.to_pandas()) and one.comparisons == other.comparisons


def test_complete_tables_are_shown_at_once_and_only_those_that_were_asked_for(command):
    shown = []
    found = stream(command, [], lambda result: shown.append(result.table.name), ["table4"])
    found.show_complete()
    found.show_complete()
    assert shown == ["table4"] == list(found.results)


def test_a_run_that_never_completes_keeps_its_table_back(command):
    task = next(iter(command.plan.tasks.values()))
    found = stream(command, [task], lambda result: pytest.fail("it lacks a run"))
    found.after(lambda progress: None)(Progress(replace(task, key="another run"), None))
    assert not found.results


def test_a_table_that_cannot_be_printed_is_kept_and_not_counted_as_shown(command):
    def full(result):
        raise OSError("no space left on device")

    found = stream(command, [], full)
    found.show_complete()
    assert set(found.results) == {"table2", "table4"} and not found.shown
