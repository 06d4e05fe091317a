"""Feed-forward layers of other widths than the profile's."""

import pytest

from replicate.config.arms import arm
from replicate.config.protocols import protocol
from replicate.config.widths import ResizedRun, resized
from replicate.corpus.synthetic import generate
from replicate.store.keys import run_key
from replicate.training.config import Budget, RunSpec
from replicate.training.loop import model_config

CORPUS = generate("synthetic-tiny")


def spec(name, width=512):
    return RunSpec(arm(name), protocol("paper"), Budget(feed_forward=width), 24)


@pytest.mark.parametrize(("own", "of_teachers"), [(None, None), (512, None), (512, 512)])
def test_a_run_of_the_profiles_width_is_the_same_run(own, of_teachers):
    assert resized(spec("Student-logits"), own, of_teachers) == spec("Student-logits")


def test_a_run_without_teachers_is_one_of_another_budget():
    assert resized(spec("COGMEN-A"), 128, 2048) == spec("COGMEN-A", 128)


def test_a_student_has_its_own_width_and_its_teachers_have_theirs():
    student = resized(spec("Student-logits"), 128, 2048)
    assert model_config(student, CORPUS).feed_forward == 128
    (teacher,) = student.teachers
    assert teacher == spec("Teacher-AV", 2048) and type(teacher) is RunSpec
    assert resized(spec("Student-logits"), 128, None).teachers == (spec("Teacher-AV"),)


def test_the_teachers_width_is_in_the_key():
    found = [resized(spec("Student-logits"), 128, width) for width in (128, 512, 2048)]
    assert len({run_key(each, CORPUS, "cpu") for each in found}) == 3
    assert [type(each) for each in found] == [RunSpec, ResizedRun, ResizedRun]


def test_the_runs_of_a_seed_group_keep_both_widths():
    group = resized(RunSpec(arm("Student-logits"), protocol("paper"), Budget(), 24, seed_group=(24, 25)), 128, 512)
    assert [(each.seed, each.teachers[0].budget.feed_forward) for each in group.seed_group_specs()] == [
        (24, 512),
        (25, 512),
    ]
