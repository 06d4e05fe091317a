"""The order of training: the table that is complete soonest first."""

from __future__ import annotations

import pytest

from replicate.config.tables import table
from replicate.experiment.order import table_by_table
from tests.experiment.builders import prepare


def names(tasks):
    return [task.name.partition(",")[0] for task in tasks]


def arms_of(*tables):
    return {arm.name for name in tables for row in table(name).rows for arm in row.arm.with_teachers}


@pytest.fixture
def command(tmp_path):
    return prepare(tmp_path, ("table1", "table2", "table4"), seeds="24,25")


def test_a_cheaper_table_comes_first_with_all_its_seeds(command):
    plan = command.plan
    ordered = table_by_table(plan, list(plan.tasks.values()))
    assert sorted(task.key for task in ordered) == sorted(plan.tasks)
    first, then, last = arms_of("table4"), arms_of("table2") - arms_of("table4"), arms_of("table1")
    found = names(ordered)
    ends = 2 * len(first), 2 * len(first) + 2 * len(then)
    assert set(found[: ends[0]]) == first and set(found[ends[0] : ends[1]]) == then and set(found[ends[1] :]) == last


def test_teachers_come_before_students(command):
    ordered = [task.key for task in table_by_table(command.plan, list(command.plan.tasks.values()))]
    pairs = [(teacher, task.key) for task in command.plan.tasks.values() for teacher in task.teachers]
    assert pairs and all(ordered.index(teacher) < ordered.index(student) for teacher, student in pairs)


def test_a_table_that_lacks_little_comes_first(command):
    todo = [task for task in command.plan.tasks.values() if task.spec.arm.name not in arms_of("table1") - {"Student-A"}]
    assert set(names(table_by_table(command.plan, todo)[:2])) == {"Student-A"}


def test_runs_of_a_table_are_those_of_its_rows_its_companion_and_their_teachers(tmp_path):
    plan = prepare(tmp_path, ("table1", "table3", "table5"), seeds="24,").plan
    for one in plan.tables:
        # Table 3 prints the rows of the same names of Table 2.
        more = {"COGMEN-A", "COGMEN-AV", "COGMEN-Mask", "COGMEN-A-masked"} if one.name == "table3" else set()
        assert {plan.tasks[key].spec.arm.name for key in plan.runs_of(one)} == arms_of(one.name) | more
