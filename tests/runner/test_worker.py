"""Seed groups through the runner and the store."""

import os
from dataclasses import replace

import numpy as np
import pytest

from replicate.errors import CorruptRun
from replicate.runner import worker
from replicate.runner.local import run_all
from replicate.runner.schedule import Held
from replicate.store.record import CHECKPOINT
from replicate.store.store import Store
from replicate.training.config import Protocol
from tests.small_runs import ARM, SPEC, STUDENT, graph, listed, of, programs

SEEDS = (24, 25, 26)


def stack(arm=STUDENT, seeds=SEEDS, seed_group=SEEDS):
    return [replace(of(arm, seed), seed_group=seed_group) for seed in seeds]


def run(store, corpus, specs, jobs=1, on_progress=lambda progress: None):
    run_all(programs(specs, corpus), {corpus.hash: corpus}, store, "cpu", jobs, on_progress)


def checkpoints(store, corpus, specs):
    return [(store.root / task.key / CHECKPOINT).read_bytes() for task in listed(specs, corpus)]


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """A store with a seed group of students, and the progress reports."""
    store, news = Store(tmp_path_factory.mktemp("stack") / "runs"), []
    run(store, corpus, stack(), on_progress=news.append)
    return store, news


def test_every_run_of_a_seed_group_is_reported_and_saved(whole, corpus):
    store, news = whole
    reported = [(p.task.spec.arm.name, p.task.spec.seed, p.epoch and p.epoch.epoch) for p in news]
    assert reported == [
        (name, seed, epoch) for name in ("teacher", "student") for epoch in (1, 2, None) for seed in SEEDS
    ]
    for task in listed(stack(), corpus):
        record = store.get(task.key).record
        assert (record.seed_group, record.seed) == (SEEDS, task.spec.seed)
        assert record.teacher_runs == task.teachers


def test_students_under_two_protocols_share_a_teacher_that_neither_protocol_changes(store, corpus):
    released = replace(of(STUDENT), protocol=Protocol("released", triplet="n-way"))
    run(store, corpus, [of(STUDENT), released])
    ours, theirs = (store.get(listed([spec], corpus)[-1].key) for spec in (of(STUDENT), released))
    assert ours.record.teacher_runs == theirs.record.teacher_runs and ours.record.key != theirs.record.key


def test_a_seed_group_gives_what_its_runs_give_alone(whole, corpus, store):
    run(store, corpus, [replace(spec, seed_group=()) for spec in stack()])
    for ours, alone in zip(
        listed(stack(), corpus), listed([replace(spec, seed_group=()) for spec in stack()], corpus), strict=True
    ):
        assert ours.key != alone.key
        one, other = whole[0].get(ours.key), store.get(alone.key)
        for mine, theirs in zip(one.record.curve, other.record.curve, strict=True):
            assert mine.train_loss == pytest.approx(theirs.train_loss, abs=1e-3)
        assert np.abs(one.log_prob("test", "A") - other.log_prob("test", "A")).max() < 0.02


@pytest.mark.slow
def test_a_seed_group_that_lacks_runs_is_trained_as_a_whole_to_the_same_bits(whole, corpus, store):
    expected = checkpoints(whole[0], corpus, stack())
    run(store, corpus, stack(), jobs=2)
    assert checkpoints(store, corpus, stack()) == expected
    found = graph(stack(ARM), corpus)
    lost = list(found.tasks.values())[1]
    run(store, corpus, stack(ARM))
    before = checkpoints(store, corpus, stack(ARM))
    store.remove(lost.key)
    news = []
    run_all(found.programs([lost]), found.corpora, store, "cpu", 1, news.append)
    assert [(p.task.spec.seed, p.epoch and p.epoch.epoch) for p in news] == [(25, 1), (25, 2), (25, None)]
    assert checkpoints(store, corpus, stack(ARM)) == before


def test_the_seeds_of_a_group_decide_its_keys(corpus):
    keys = {task.key for seed_group in (SEEDS, SEEDS[:2], ()) for task in listed(stack(ARM, (24,), seed_group), corpus)}
    assert len(keys) == 3


def test_a_seed_group_has_one_lock(whole, corpus, store):
    found = graph(stack(ARM), corpus)
    first, *_, last = found.tasks.values()
    with Store(store.root).lock(first.key, wait=False) as ours:
        assert ours
        (program,) = found.programs([last])
        assert program.runs == tuple(found.tasks.values()) and program.wanted == (last,)
        outcome = worker.train_program(program, corpus, store, "cpu", lambda progress: None)
        assert isinstance(outcome, Held) and outcome.owner.process == os.getpid()


def test_a_missing_teacher_is_named(corpus, store):
    with pytest.raises(CorruptRun, match="teacher of student, seed 24"):
        run_all(programs(stack(), corpus)[1:], {corpus.hash: corpus}, store, "cpu", 1, lambda progress: None)


def test_runs_of_another_precision_are_other_runs(corpus, store):
    run(store, corpus, [SPEC, replace(SPEC, precision="bf16")])
    full, half = (store.get(task.key) for task in listed([SPEC, replace(SPEC, precision="bf16")], corpus))
    assert full.folder != half.folder and half.record.precision == "bf16"
    assert all(parameter.dtype.itemsize == 4 for parameter in half.model().parameters())
    first, second = (run.record.curve[0].train_loss for run in (full, half))
    assert first != second and first == pytest.approx(second, abs=0.02)
