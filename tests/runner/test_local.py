"""Runs are trained in the order of their teachers, in one process or in several."""

import math
import os
import queue
import signal
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace

import pytest
import torch

from replicate.errors import CorruptRun
from replicate.runner import local, worker
from replicate.runner.local import follow, run_all
from replicate.runner.progress import Progress
from replicate.runner.schedule import Schedule
from replicate.store.record import CHECKPOINT, RECORD
from replicate.store.store import EMBEDDINGS
from tests.runner.families import FAMILY, contents, epochs, quiet, run
from tests.small_runs import SPEC, STUDENT, TEACHER, listed, of, programs, seeds


@pytest.mark.slow
def test_two_processes_give_the_same_bits_as_one(undisturbed, corpus, store):
    news: list[Progress] = []
    run(store, corpus, FAMILY, 2, news.append)
    assert len(contents(undisturbed)) == 8 + 2
    assert contents(undisturbed) == contents(store)
    tasks = listed(FAMILY, corpus)
    completed = [p.task.key for p in news if p.epoch is None]
    assert sorted(completed) == sorted(task.key for task in tasks)
    assert sorted(epochs(p for p in news if p.epoch)) == sorted(
        (task.spec.seed, task.spec.arm.name, epoch) for task in tasks for epoch in (1, 2)
    )
    for task in tasks:
        for teacher in task.teachers:
            first = next(i for i, p in enumerate(news) if p.task.key == task.key)
            assert teacher in [p.task.key for p in news[:first] if p.epoch is None]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are forked on Linux only")
def test_workers_start_with_the_slow_libraries_which_one_process_has_imported():
    imported = "'torch_geometric' in __import__('sys').modules, __import__('os').getppid()"
    found = set()
    for _ in range(2):
        with ProcessPoolExecutor(1, local.process_context()) as pool:
            found.add(pool.submit(eval, imported).result())
    ((there, server),) = found
    assert there and server != os.getpid()


def test_every_epoch_and_every_completed_run_is_reported(store, corpus):
    news: list[Progress] = []
    run(store, corpus, seeds(24, 25), on_progress=news.append)
    assert epochs(news) == [(seed, "speech", epoch) for seed in (24, 25) for epoch in (1, 2, None)]


def test_a_student_comes_after_its_teacher_and_its_record_names_it(undisturbed, corpus):
    for task in listed(FAMILY, corpus):
        record = undisturbed.get(task.key).record
        assert record.teacher_runs == task.teachers
        assert [teacher.name for teacher in record.arm.teachers] == ["teacher"] * len(task.teachers)


def test_a_student_learns_from_the_teacher_of_its_own_seed(undisturbed, corpus, store, monkeypatch):
    asked = []
    original = worker.train_seed_group

    def train(specs, corpus, device, on_epoch, teacher_outputs):
        (spec,) = specs
        asked.append((spec.arm.name, spec.seed, [teacher.train.embedding.clone() for teacher in teacher_outputs[0]]))
        return original(specs, corpus, device, on_epoch, teacher_outputs)

    monkeypatch.setattr(worker, "train_seed_group", train)
    run(store, corpus, FAMILY)
    for name, seed, embeddings in asked:
        if name in ("teacher", "speech"):
            assert embeddings == []
            continue
        teacher = of(TEACHER, seed)
        (task,) = listed([teacher], corpus)
        saved = undisturbed.get(task.key)
        expected = worker.compute_teacher_outputs(saved.model(), saved.scaling(), teacher, corpus).train.embedding
        assert torch.equal(embeddings[0], expected)
    assert len(asked) == 8


def test_embeddings_are_computed_once_for_all_students_of_a_teacher(store, corpus, monkeypatch):
    computed = []
    original = worker.compute_teacher_outputs
    monkeypatch.setattr(worker, "compute_teacher_outputs", lambda *a: computed.append(a[2].seed) or original(*a))
    run(store, corpus, FAMILY)
    assert computed == [24, 25]
    # Another student that comes later finds them.
    run(store, corpus, [of(replace(STUDENT, name="late", dropout=0.3))])
    assert computed == [24, 25]
    assert len(list((store.root / EMBEDDINGS).iterdir())) == 2


def test_embeddings_are_not_computed_without_students(store, corpus, monkeypatch):
    monkeypatch.setattr(worker, "compute_teacher_outputs", lambda *a: pytest.fail("there is no student"))
    run(store, corpus, [of(TEACHER), SPEC])
    assert not (store.root / EMBEDDINGS).exists()


def test_a_teacher_in_the_store_is_used(undisturbed, corpus, store, monkeypatch):
    tasks = listed([of(STUDENT)], corpus)
    run(store, corpus, [of(TEACHER)])
    news: list[Progress] = []
    run_all(programs([of(STUDENT)], corpus)[1:], {corpus.hash: corpus}, store, "cpu", 1, news.append)
    assert epochs(news) == [(24, "student", 1), (24, "student", 2), (24, "student", None)]
    key = tasks[1].key
    assert (store.root / key / CHECKPOINT).read_bytes() == (undisturbed.root / key / CHECKPOINT).read_bytes()


def test_a_missing_teacher_is_named(store, corpus):
    with pytest.raises(CorruptRun, match="teacher of student, seed 24 is no longer"):
        run_all(programs([of(STUDENT)], corpus)[1:], {corpus.hash: corpus}, store, "cpu", 1, quiet)


def test_every_task_is_trained_on_its_own_corpus(store, corpus):
    other = replace(corpus, standardise=False)
    tasks = listed([SPEC], corpus) + listed([SPEC], other)
    both = programs([SPEC], corpus) + programs([SPEC], other)
    run_all(both, {corpus.hash: corpus, other.hash: other}, store, "cpu", 1, quiet)
    assert [store.get(task.key).record.corpus.hash for task in tasks] == [corpus.hash, other.hash]


def test_a_student_starts_before_later_programs_when_few_are_submitted_at_a_time(corpus):
    """Each program is complete as soon as it is submitted; the second teacher's runs come after the first's."""
    made = programs([of(STUDENT, 24), of(STUDENT, 25), of(SPEC.arm, 26), of(SPEC.arm, 27)], corpus)

    def submitted(most):
        found = []

        def submit(program):
            found.append(program.runs[0].name)
            future = Future()
            future.set_result(True)
            return future

        follow(submit, Schedule(made), queue.Queue(), quiet, most)
        return found

    listed_order = [program.runs[0].name for program in made]
    assert submitted(1) == listed_order
    assert submitted(2) != listed_order and submitted(2).index("student, seed 24") < submitted(2).index(
        "speech, seed 27"
    )
    assert submitted(math.inf)[-2:] == ["student, seed 24", "student, seed 25"]


def test_completed_runs_are_not_trained_again(store, corpus, saved, monkeypatch):
    before = (saved / RECORD).stat()[:7]  # without the times, one of which changes when the file is read
    written = (saved / RECORD).stat().st_mtime_ns
    news: list[Progress] = []
    run(store, corpus, seeds(24, 25), on_progress=news.append)
    assert epochs(news) == [(24, "speech", None), (25, "speech", 1), (25, "speech", 2), (25, "speech", None)]
    assert (saved / RECORD).stat()[:7] == before and (saved / RECORD).stat().st_mtime_ns == written
