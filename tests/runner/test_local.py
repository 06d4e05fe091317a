import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from replicate.errors import CorruptRun, DiskFull, MissingDevice, WorkerDied
from replicate.runner import local, worker
from replicate.runner.local import resolve_device, run_all
from replicate.runner.worker import Progress
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from replicate.store.store import EMBEDDINGS, Store
from tests.small_runs import SPEC, STUDENT, TEACHER, listed, of, programs, seeds, small_corpus

# Processes of their own that do not import everything anew.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["replicate.runner.local"])
NARROW = replace(STUDENT, name="narrow student", gnn_heads=1)
# For each of two seeds a teacher, two students, and an arm alone.
FAMILY = [of(arm, seed) for seed in (24, 25) for arm in (STUDENT, NARROW, SPEC.arm)]


def quiet(progress):
    pass


def run(store, corpus, specs, jobs=1, on_progress=quiet):
    return run_all(programs(specs, corpus), {corpus.hash: corpus}, store, "cpu", jobs, on_progress)


def contents(store):
    """Everything that a store holds but for times and locks, by key."""
    found = {}
    for folder in map(store.root.joinpath, store.keys()):
        record = json.loads((folder / RECORD).read_text())
        with np.load(folder / PREDICTIONS) as arrays:
            predictions = {name: arrays[name].tobytes() for name in arrays}
        del record["seconds"], record["files"], record["sha256"]
        found[folder.name] = (record, predictions, (folder / CHECKPOINT).read_bytes())
    return found | {path.name: path.read_bytes() for path in (store.root / EMBEDDINGS).glob("*")}


def epochs(news):
    """Seed, arm and epoch of every progress report; None where the run is in the store."""
    return [(p.task.spec.seed, p.task.spec.arm.name, p.epoch and p.epoch.epoch) for p in news]


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    """A store with all of ``FAMILY``, trained one after the other."""
    store = Store(tmp_path_factory.mktemp("undisturbed") / "runs")
    run(store, corpus, FAMILY)
    return store


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


def diverging(spec):
    return replace(spec, budget=replace(spec.budget, learning_rate=1e30))


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_diverges_fails_alone_and_its_students_are_skipped(store, corpus, jobs):
    specs = [diverging(of(STUDENT)), SPEC, of(STUDENT, 25)]
    lost, alone, *family = listed([diverging(of(STUDENT))], corpus), listed([SPEC], corpus), listed(specs[2:], corpus)
    news: list[Progress] = []
    failed = run(store, corpus, specs, jobs, news.append)
    assert [(run.key, run.name, run.kind) for run in failed] == [
        (lost[0].key, "teacher, seed 24", "diverged"),
        (lost[1].key, "student, seed 24", "teacher failed"),
    ]
    assert "loss" in failed[0].message and failed[1].message == "its teacher teacher, seed 24 could not be trained"
    complete = sorted(task.key for tasks in (alone, *family) for task in tasks)
    assert sorted(store.keys()) == complete == sorted(p.task.key for p in news if p.epoch is None)
    # The lock of the failed run is free, and the same command tries it again.
    with store.lock(lost[0].key, wait=False) as locked:
        assert locked
    assert [run.key for run in run_all(programs(specs, corpus), {corpus.hash: corpus}, store, "cpu", 1, quiet)] == [
        task.key for task in lost
    ]


def test_an_error_of_a_plugin_names_its_module(store, corpus, monkeypatch):
    def train(*arguments):
        raise RuntimeError("a\nbad\x1b[31m value")

    monkeypatch.setattr(worker, "train_seed_group", train)
    monkeypatch.setattr("replicate.runner.failures.plugin_modules", lambda: {__name__})
    (failed,) = run(store, corpus, [SPEC])
    assert (failed.kind, failed.message) == ("RuntimeError", "a bad [31m value")
    assert failed.plugin.startswith(f"{__name__}, {__file__}:")
    assert str(failed).startswith("speech, seed 24 failed: RuntimeError: ") and f"(plugin {__name__}" in str(failed)


def test_an_error_of_the_store_ends_the_command(store, corpus, monkeypatch):
    def put(*arguments):
        raise DiskFull("no room left")

    monkeypatch.setattr(store, "put", put)
    with pytest.raises(DiskFull):
        run(store, corpus, seeds(24, 25))


def test_an_error_of_the_callback_is_not_an_error_of_the_run(store, corpus):
    def on_progress(progress):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(store, corpus, [SPEC], on_progress=on_progress)


@pytest.mark.slow
def test_a_killed_worker_is_named_and_completed_runs_are_kept(store, corpus):
    def on_progress(progress):
        if progress.epoch is None:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    long = [replace(spec, budget=replace(spec.budget, epochs=20)) for spec in seeds(*range(24, 64))]
    with pytest.raises(WorkerDied, match="--jobs"):
        run(store, corpus, long, 2, on_progress)
    keys = [task.key for task in listed(long, corpus)]
    assert 1 <= sum(store.get(key) is not None for key in keys) < 40
    assert multiprocessing.active_children() == []


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


@pytest.mark.parametrize(("epoch", "completed"), [(1, 1), (2, 1), (None, 2)])
def test_an_interrupt_keeps_completed_runs_and_no_incomplete_one(store, corpus, epoch, completed):
    def on_progress(progress):
        if progress.task.spec.seed == 25 and (progress.epoch and progress.epoch.epoch) == epoch:
            raise KeyboardInterrupt

    tasks = listed(seeds(24, 25, 26), corpus)
    with pytest.raises(KeyboardInterrupt):
        run(store, corpus, seeds(24, 25, 26), on_progress=on_progress)
    keys = [task.key for task in tasks]
    assert {path.name for path in store.root.glob("[!.]*")} == set(keys[:completed])
    assert store.missing(keys) == keys[completed:]
    # The lock of the run that was interrupted is free again.
    for key in keys:
        with store.lock(key, wait=False) as ours:
            assert ours


def test_completed_runs_are_not_trained_again(store, corpus, saved, monkeypatch):
    before = (saved / RECORD).stat()[:7]  # without the times, one of which changes when the file is read
    written = (saved / RECORD).stat().st_mtime_ns
    news: list[Progress] = []
    run(store, corpus, seeds(24, 25), on_progress=news.append)
    assert epochs(news) == [(24, "speech", None), (25, "speech", 1), (25, "speech", 2), (25, "speech", None)]
    assert (saved / RECORD).stat()[:7] == before and (saved / RECORD).stat().st_mtime_ns == written


def test_devices(monkeypatch):
    for there, auto in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(local.torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device("auto") == auto and resolve_device("cpu") == "cpu"
    with pytest.raises(MissingDevice):
        resolve_device("cuda")


HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


class Holder:
    """Another process that holds the lock of a run."""

    def __init__(self, store, key):
        (store.root / ".locks").mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(store.root / ".locks" / key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "held\n"

    def release(self):
        self.process.communicate("\n", timeout=20)

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=20)


@pytest.fixture
def waits_for_teacher(store, monkeypatch):
    """Hold the lock of a key elsewhere; what is waited for is looked at often."""
    monkeypatch.setattr(local, "_PATIENCE", 0.02)
    holders = []

    def hold(key):
        holders.append(Holder(store, key))
        return holders[-1]

    yield hold
    for holder in holders:
        holder.kill()


def test_a_run_that_another_process_trains_is_left_to_it(undisturbed, store, corpus, waits_for_teacher):
    """Seed 24 is held elsewhere; 25 is trained meanwhile, then 24 is there."""
    first, second = listed(seeds(24, 25), corpus)
    other = waits_for_teacher(first.key)
    news: list[Progress] = []

    def on_progress(progress):
        news.append(progress)
        if (progress.task, progress.epoch) == (second, None):
            shutil.copytree(undisturbed.root / first.key, store.root / first.key)
            other.release()

    run(store, corpus, seeds(24, 25), on_progress=on_progress)
    assert epochs(news) == [(25, "speech", 1), (25, "speech", 2), (25, "speech", None), (24, "speech", None)]


def test_a_run_whose_process_died_is_trained_here(store, corpus, waits_for_teacher):
    first, second = listed(seeds(24, 25), corpus)
    other = waits_for_teacher(first.key)
    news: list[Progress] = []

    def on_progress(progress):
        news.append(progress)
        if (progress.task, progress.epoch) == (second, None):
            other.kill()

    run(store, corpus, seeds(24, 25), on_progress=on_progress)
    assert epochs(news) == [(seed, "speech", epoch) for seed in (25, 24) for epoch in (1, 2, None)]


def test_students_wait_for_a_teacher_that_another_process_trains(undisturbed, store, corpus, waits_for_teacher):
    specs = [of(STUDENT), SPEC]
    teacher, student, alone = listed(specs, corpus)
    assert (teacher.key, alone.spec) == (student.teachers[0], SPEC)
    other = waits_for_teacher(teacher.key)
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


def train_family(folder, connection, jobs=1, meeting=None, hangs_at=None):
    """What another command does, in a process of its own; it sends every progress report."""

    def on_progress(progress):
        connection.send((progress.task.key, progress.epoch and progress.epoch.epoch))
        if jobs > 1 and progress.epoch is None:
            connection.send([worker.pid for worker in multiprocessing.active_children()])
        if meeting is not None and len(met) == 0:
            met.append(meeting.wait(60))

    def savez_compressed(*arguments, **arrays):
        written.append(arguments)
        if len(written) == hangs_at:
            connection.send("writing")
            time.sleep(1000)
        original(*arguments, **arrays)

    met, written, original = [], [], np.savez_compressed
    np.savez_compressed = savez_compressed
    local._PATIENCE = 0.02
    corpus = small_corpus()
    run_all(programs(FAMILY, corpus), {corpus.hash: corpus}, Store(folder), "cpu", jobs, on_progress)
    connection.send("done")


class Command:
    """Another command that trains FAMILY in the same store; ``messages`` is what it has sent so far."""

    def __init__(self, store, **options):
        self.connection, theirs = PROCESSES.Pipe(duplex=False)
        self.process = PROCESSES.Process(target=train_family, args=(store.root, theirs), kwargs=options)
        self.process.start()
        theirs.close()
        self.messages = []

    def until(self, is_enough):
        """Receive messages until one of a kind."""
        while not (self.messages and is_enough(self.messages[-1])):
            assert self.connection.poll(60), "it sends nothing any more"
            self.messages.append(self.connection.recv())

    def kill(self):
        self.process.kill()
        self.process.join(20)
        assert self.process.exitcode == -signal.SIGKILL


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


def test_a_killed_command_leaves_whole_runs_and_the_next_one_goes_on(undisturbed, store, corpus):
    """It is killed while the folder of its third run is half written."""
    command = Command(store, hangs_at=3)
    command.until(lambda message: message == "writing")
    command.kill()
    keys = [task.key for task in listed(FAMILY, corpus)]
    assert len(list(store.root.glob(".incomplete-*"))) == 1
    assert store.missing(keys) == keys[2:] and set(store.keys()) == set(keys[:2])
    news: list[Progress] = []
    run(store, corpus, FAMILY, on_progress=news.append)
    assert [p.task.key for p in news if p.epoch and p.epoch.epoch == 1] == keys[2:]
    assert contents(store) == contents(undisturbed)


def running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_workers_of_a_killed_command_die_with_it(undisturbed, store, corpus):
    command = Command(store, jobs=2)
    command.until(lambda message: isinstance(message, list))
    workers = command.messages[-1]
    assert len(workers) == 2 and all(map(running, workers))
    command.kill()
    deadline = time.monotonic() + 20
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(running, workers))
    keys = [task.key for task in listed(FAMILY, corpus)]
    assert 0 < len(store.missing(keys)) < len(keys)
    run(store, corpus, FAMILY)
    assert contents(store) == contents(undisturbed)
