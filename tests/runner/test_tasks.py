from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.config import tables as definitions
from replicate.config.arms import arms
from replicate.config.protocols import protocol as protocol_of_name
from replicate.runner.tasks import TaskGraph, cost, share
from replicate.store.keys import run_key
from replicate.training.config import Protocol
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


def test_the_whole_paper_is_trained_once():
    """Runs of a seed on a corpus with every stream and without dialogues that are left out."""
    protocol = protocol_of_name("paper")
    tables = [definitions.table(name) for name in definitions.table_names()]

    def tasks(*chosen):
        return TaskGraph(
            [
                (replace(SPEC, arm=row.arm, protocol=table.protocol_of(row, protocol)), CORPUS)
                for table in chosen
                for row in table.rows
            ],
            "cpu",
        ).tasks

    counts = {table.name: len(tasks(table)) for table in tables}
    # Each of the extra tables has its baseline among those of table 2; the causal one table 1's student and teacher.
    assert (counts.pop("causal"), counts.pop("context")) == (7, 8)
    assert counts.pop("hubert") == 2 + 4 * 2 * 2 + 4
    # Students with their teachers, which are one for some and three for others; no row is one that only sees.
    assert [counts.pop(name) for name in ("distillation", "ablation-dmd", "ablation-mtpkdot")] == [
        8 + 2,
        10 + 2,
        10 + 2,
    ]
    # Table 1 is a teacher and three students; table 2 has no teacher that is not a row of it.
    assert counts == {"table1": 4, "table2": 6, "table3": 4, "table4": 4, "table5": 6, "protocol": 13}
    # Of table 4's openSMILE rows, table 2 has both; of table 5's, tables 1 and 2 have all three; the protocol table
    # shares the runs under the text's protocol and the teacher.
    assert len(tasks(*(table for table in tables if not table.extra))) == 4 + 6 + 4 + 2 + 3 + 8
    # Some rows of the HuBERT table are in the paper's tables, those with openSMILE features or the text's protocol; two
    # others are in the table protocol.
    assert len(tasks(*tables)) == 4 + 6 + 4 + 2 + 3 + 8 + 3 + 6 + 8 + 8 + 8 + (22 - 2 - 2 - 2)
    assert len({task.spec.arm.name for task in tasks(*tables).values()}) == len(arms())


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
