"""Commands that share a store train no run twice and wait for each other's teachers."""

import os
import shutil

import pytest

from replicate.runner import local
from replicate.runner.progress import Progress
from tests.runner.families import FAMILY, contents, epochs, run
from tests.runner.other_commands import PROCESSES, Command, Holder
from tests.small_runs import SPEC, STUDENT, listed, of, seeds


@pytest.fixture
def hold_lock(store, monkeypatch):
    """A function that holds the lock of a key in another process; run_all looks again after 20 ms."""
    monkeypatch.setattr(local, "_PATIENCE", 0.02)
    holders = []

    def hold(key):
        holders.append(Holder(store, key))
        return holders[-1]

    yield hold
    for holder in holders:
        holder.kill()


def test_a_run_that_another_process_trains_is_left_to_it(undisturbed, store, corpus, hold_lock):
    """Another process holds the lock of seed 24; 25 is trained meanwhile, then the other process completes 24."""
    first, second = listed(seeds(24, 25), corpus)
    other = hold_lock(first.key)
    news: list[Progress] = []

    def on_progress(progress):
        news.append(progress)
        if (progress.task, progress.epoch) == (second, None):
            shutil.copytree(undisturbed.root / first.key, store.root / first.key)
            other.release()

    run(store, corpus, seeds(24, 25), on_progress=on_progress)
    assert epochs(news) == [(25, "speech", 1), (25, "speech", 2), (25, "speech", None), (24, "speech", None)]


def test_who_is_waited_for_is_said_once(undisturbed, store, corpus, monkeypatch, capfd):
    """This process itself holds the lock, for a run that is complete before the fourth attempt."""
    (task,) = listed(seeds(24), corpus)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            shutil.copytree(undisturbed.root / task.key, store.root / task.key)
            lock.__exit__(None, None, None)

    lock = store.lock(task.key, wait=False)
    assert lock.__enter__()
    monkeypatch.setattr(local.time, "sleep", sleep)
    run(store, corpus, seeds(24))
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"waiting for speech, seed 24, which is trained by process {os.getpid()} on ")
    assert len(waits) == 3


def test_a_run_whose_process_died_is_trained_here(store, corpus, hold_lock):
    first, second = listed(seeds(24, 25), corpus)
    other = hold_lock(first.key)
    news: list[Progress] = []

    def on_progress(progress):
        news.append(progress)
        if (progress.task, progress.epoch) == (second, None):
            other.kill()

    run(store, corpus, seeds(24, 25), on_progress=on_progress)
    assert epochs(news) == [(seed, "speech", epoch) for seed in (25, 24) for epoch in (1, 2, None)]


def test_students_wait_for_a_teacher_that_another_process_trains(undisturbed, store, corpus, hold_lock):
    specs = [of(STUDENT), SPEC]
    teacher, student, alone = listed(specs, corpus)
    assert (teacher.key, alone.spec) == (student.teachers[0], SPEC)
    other = hold_lock(teacher.key)
    news: list[Progress] = []

    def on_progress(progress):
        news.append(progress)
        if (progress.task, progress.epoch) == (alone, None):
            shutil.copytree(undisturbed.root / teacher.key, store.root / teacher.key)
            other.release()

    run(store, corpus, specs, on_progress=on_progress)
    assert epochs(news) == [
        *((24, "speech", epoch) for epoch in (1, 2, None)),
        (24, "teacher", None),
        *((24, "student", epoch) for epoch in (1, 2, None)),
    ]
    assert contents(store)[student.key] == contents(undisturbed)[student.key]


@pytest.mark.slow
def test_two_commands_on_one_store_train_nothing_twice(undisturbed, store, corpus):
    """Neither goes on after its first epoch before the other has trained one, too."""
    meeting = PROCESSES.Barrier(2)
    commands = [Command(store, meeting=meeting) for _ in range(2)]
    for command in commands:
        command.until(lambda message: message == "done")
    keys = sorted(task.key for task in listed(FAMILY, corpus))
    trained = [[message[0] for message in command.messages if message[1] == 1] for command in commands]
    assert sorted(trained[0] + trained[1]) == keys and all(trained)
    for command in commands:
        assert sorted(message[0] for message in command.messages if message[1] is None) == keys
    assert contents(store) == contents(undisturbed)
