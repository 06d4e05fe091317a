"""Table `deploy`: its runs, and the runs of a row's teachers."""

from collections import Counter

from replicate.config.tables import table
from tests.experiment.builders import plant, prepare


def test_widths_are_those_of_the_rows_and_the_large_model_is_every_teacher(tmp_path):
    command = prepare(tmp_path, ("deploy",), seeds="24,25", profile="quick", data="synthetic-tiny")
    plan, deploy = command.plan, table("deploy")
    assert len(plan.tasks) == 2 * len(deploy.rows) == 36
    assert Counter(task.spec.budget.feed_forward for task in plan.tasks.values()) == {2048: 12, 512: 12, 128: 12}
    large = plan.graph.key(plan.spec(deploy, deploy.rows[0], 24), plan.corpus)
    students = [row for row in deploy.rows if row.arm.teacher]
    keys = [plan.graph.key(plan.spec(deploy, row, 24), plan.corpus) for row in students]
    assert len(keys) == 9 and {plan.tasks[key].teachers for key in keys} == {(large,)}
    assert set(keys) < set(plan.deployable())


def test_the_runs_of_a_teacher_are_found_by_its_arm(tmp_path):
    command = prepare(tmp_path, ("deploy",), seeds="24,")
    plant(command)
    deploy = command.plan.tables[0]
    student = next(row for row in deploy.rows if row.name == "128, 1 layer, distilled")
    (own,) = command.completed.of_arm(deploy, student, student.arm)
    (teacher,) = command.completed.of_arm(deploy, student, student.arm.teachers[0])
    assert own.record.teacher_runs == (teacher.record.key,)
    assert (own.record.budget.feed_forward, teacher.record.budget.feed_forward) == (128, 2048)
