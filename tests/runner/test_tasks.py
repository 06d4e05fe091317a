from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.config import tables as definitions
from replicate.config.arms import arms
from replicate.config.protocols import protocol as protocol_of_name
from replicate.runner.tasks import TaskGraph, cost, share
from replicate.store import keys
from replicate.store.keys import run_key
from replicate.training.config import Protocol, relevant_settings
from replicate.training.masking.scenarios import Masking
from tests.small_runs import SPEC, STUDENT, TEACHER, seeds, small_corpus

OTHER = replace(STUDENT, name="other student", gnn_heads=1)
GRANDCHILD = replace(STUDENT, name="student of a student", teacher=STUDENT)
CORPUS = small_corpus()


def of(arm, seed=24, **overrides):
    return replace(SPEC, arm=arm, seed=seed, protocol=replace(SPEC.protocol, **overrides))


def names(tasks):
    return [task.name for task in tasks.values()]


def listed(*specs, corpus=CORPUS):
    return TaskGraph([(spec, corpus) for spec in specs], "cpu").tasks


def test_a_teacher_is_added_before_its_student():
    tasks = listed(of(STUDENT))
    assert names(tasks) == ["teacher, seed 24", "student, seed 24"]
    teacher, student = tasks.values()
    assert (teacher.teachers, student.teachers) == ((), (teacher.key,))
    assert teacher.spec == of(TEACHER) and student.spec == of(STUDENT)
    assert list(tasks) == [teacher.key, student.key] == [run_key(t.spec, CORPUS, "cpu") for t in (teacher, student)]
    assert {task.corpus for task in tasks.values()} == {CORPUS.hash}


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        ([TEACHER, STUDENT], ["teacher", "student"]),
        ([STUDENT, TEACHER], ["teacher", "student"]),
        ([STUDENT, OTHER], ["teacher", "student", "other student"]),
        ([STUDENT, STUDENT], ["teacher", "student"]),
        ([SPEC.arm, OTHER, SPEC.arm, TEACHER, STUDENT], ["speech", "teacher", "other student", "student"]),
        ([GRANDCHILD], ["teacher", "student", "student of a student"]),
        ([GRANDCHILD, STUDENT, OTHER], ["teacher", "student", "student of a student", "other student"]),
        ([], []),
    ],
)
def test_every_run_is_there_once_and_in_the_order_it_was_wanted(arms, expected):
    assert names(listed(*map(of, arms))) == [f"{name}, seed 24" for name in expected]


def test_every_seed_has_a_teacher_of_its_own():
    tasks = listed(of(STUDENT, 25), of(STUDENT, 24))
    assert names(tasks) == ["teacher, seed 25", "student, seed 25", "teacher, seed 24", "student, seed 24"]
    assert [tasks[key].spec.seed for task in tasks.values() for key in task.teachers] == [25, 24]


def test_every_corpus_has_a_teacher_of_its_own():
    other = replace(CORPUS, standardise=False)
    tasks = TaskGraph([(of(STUDENT), CORPUS), (of(STUDENT), other)], "cpu").tasks
    assert len(tasks) == 4 and [task.corpus for task in tasks.values()] == [CORPUS.hash] * 2 + [other.hash] * 2
    assert all(tasks[key].corpus == task.corpus for task in tasks.values() for key in task.teachers)


def test_the_device_is_part_of_the_key():
    first, second = (set(TaskGraph([(SPEC, CORPUS)], device).tasks) for device in ("cpu", "cuda"))
    assert first and second and not first & second


def test_one_arm_under_two_names_is_one_run():
    twin = replace(STUDENT, name="twin", teacher=replace(TEACHER, name="twin of the teacher"))
    assert names(listed(of(STUDENT), of(twin))) == ["teacher, seed 24", "student, seed 24"]


def test_settings_that_an_arm_does_not_use_make_no_second_run():
    masking, masked = Masking(unit="batch"), replace(TEACHER, name="masked", masked=True)
    for arm, overrides, runs in [
        (SPEC.arm, {"masking": masking}, 1),
        (SPEC.arm, {"triplet": "n-way"}, 1),
        (masked, {"masking": masking}, 2),
        (STUDENT, {"masking": masking}, 2),  # teacher and student, both the same under either
        (STUDENT, {"triplet": "n-way"}, 3),  # one teacher, two students
        (replace(STUDENT, teacher=masked), {"masking": masking}, 4),
        (SPEC.arm, {"attend_padding": True}, 2),
    ]:
        assert len(listed(of(arm), of(arm, **overrides))) == runs


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([TEACHER, STUDENT, OTHER, GRANDCHILD, SPEC.arm]), st.integers(0, 2))))
def test_no_student_is_ever_before_its_teacher(wanted):
    tasks = listed(*(of(arm, seed) for arm, seed in wanted))
    seen = set()
    for key, task in tasks.items():
        assert key == task.key and seen.issuperset(task.teachers)
        assert len(task.teachers) == len(task.spec.arm.teachers)
        seen.add(key)
    needed = {(each.name, seed) for arm, seed in wanted for each in arm.with_teachers}
    assert sorted((task.spec.arm.name, task.spec.seed) for task in tasks.values()) == sorted(needed)


def test_runs_that_tables_share_are_trained_once_and_no_arm_is_unused():
    """Two rows share a run exactly if their arms, and what these use of their protocols, are equal."""
    asked = protocol_of_name("paper")
    tables = map(definitions.table, definitions.table_names())
    rows = [(row.arm, table.protocol_of(row, asked)) for table in tables for row in table.rows]
    tasks = TaskGraph([(replace(SPEC, arm=arm, protocol=used), CORPUS) for arm, used in rows], "cpu").tasks
    needed = [(arm, used) for row, used in rows for arm in row.resolved(used.model).with_teachers]

    def different(pairs):
        return Counter((str(keys._decisive(arm)), str(relevant_settings(arm, used))) for arm, used in set(pairs))

    found = different((task.spec.arm, task.spec.protocol) for task in tasks.values())
    assert found.keys() == different(needed).keys() and set(found.values()) == {1}
    assert len(tasks) == len(found) < len(needed)
    assert {arm.name for arm, _ in needed} >= set(arms()) - {"demo"}  # docs/build_demo.py trains it


def test_a_task_is_named_by_arm_and_seed():
    (task,) = listed(*seeds(7)).values()
    assert task.name == "speech, seed 7" and Protocol("paper") == task.spec.protocol


def test_tasks_of_a_seed_group_are_one_program():
    stacked = [replace(of(arm, seed), seed_group=(24, 25)) for seed in (24, 25) for arm in (STUDENT, SPEC.arm)]
    found = TaskGraph([(spec, CORPUS) for spec in (*stacked, of(OTHER))], "cpu")
    programs = found.programs(found.tasks.values())
    assert all(program.runs == program.wanted for program in programs)
    assert [[task.name for task in program.runs] for program in programs] == [
        ["teacher, seed 24", "teacher, seed 25"],
        ["student, seed 24", "student, seed 25"],
        ["speech, seed 24", "speech, seed 25"],
        ["teacher, seed 24"],
        ["other student, seed 24"],
    ]


@settings(deadline=None)
@given(st.integers(1, 9), st.booleans())
def test_shares_hold_every_task_once_and_what_is_connected(number, stacked):
    specs = [of(arm, seed) for seed in (24, 25, 26) for arm in (STUDENT, OTHER, SPEC.arm)]
    tasks = list(listed(*(replace(spec, seed_group=(24, 25, 26) if stacked else ()) for spec in specs)).values())
    corpora = {CORPUS.hash: CORPUS}
    shares = [share(tasks, corpora, part, number) for part in range(1, number + 1)]
    assert sorted(task.key for one in shares for task in one) == sorted(task.key for task in tasks)
    for one in shares:
        keys = {task.key for task in one}
        assert all(keys.issuperset(task.teachers) for task in one)
        assert stacked is False or all(sum(other.spec.arm == task.spec.arm for other in one) == 3 for task in one)
        # In the order of the whole list, so that teachers come first.
        assert one == [task for task in tasks if task.key in keys]
    if not stacked and number <= 3:  # three families and three runs alone
        costs = [sum(cost(task, CORPUS) for task in one) for one in shares]
        assert max(costs) <= 1.5 * min(costs)
