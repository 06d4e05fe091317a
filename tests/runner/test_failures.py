"""A run that fails is named and the others are trained; other errors end the command."""

import pickle
from dataclasses import replace

import pytest

from replicate.config import folders
from replicate.errors import DiskFull, TrainingFailed
from replicate.experiment.context import Training
from replicate.runner import worker
from replicate.runner.failures import FailedRun, WorkerError, by_cause
from replicate.runner.local import run_all
from replicate.runner.progress import Progress
from replicate.runner.schedule import Schedule
from replicate.training.methods import METHODS
from tests.runner.families import quiet, run
from tests.small_runs import SPEC, STUDENT, listed, of, programs, seeds


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
    assert "loss" in failed[0].message and failed[1].message == "its teacher teacher could not be trained"
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


def test_a_run_whose_plugin_was_changed_during_training_is_not_saved(store, corpus, monkeypatch, tmp_path):
    source = (
        "from dataclasses import dataclass\n"
        "from replicate.training.distillation import DistillationMethod, MethodLosses, Settings, register\n"
        "@dataclass(frozen=True)\nclass MineSettings(Settings):\n    weight: float = 1.0\n"
        "@register('mine', MineSettings)\nclass Mine(DistillationMethod):\n"
        "    def __init__(self, setup):\n        super().__init__(setup, {'mine': 1.0})\n"
        "    def forward(self, student, teachers, labels):\n"
        "        return MethodLosses({'mine': student.log_prob.square().mean()})\n"
    )
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "method.py"
    path.write_text(source)
    folders.use([path.parent])
    spec = of(replace(STUDENT, distillation=METHODS.get("mine")()))
    teacher, student = listed([spec], corpus)
    train = worker.train_seed_group

    def edit_and_train(*arguments):
        path.write_text(source.replace("square", "exp"))
        return train(*arguments)

    monkeypatch.setattr(worker, "train_seed_group", edit_and_train)
    (failed,) = run(store, corpus, [spec])
    assert failed.key == student.key and failed.kind == "bad plugin" and "run the command again" in failed.message
    assert store.keys() == [teacher.key]


def test_the_arms_plugin_is_named_where_the_error_is_raised_elsewhere(store, corpus, monkeypatch):
    def train(*arguments):
        raise RuntimeError("bad value")

    monkeypatch.setattr(worker, "train_seed_group", train)
    monkeypatch.setattr("replicate.runner.failures.optional_classes", lambda spec: [dict, type("Mine", (), {})])
    (failed,) = run(store, corpus, [SPEC])
    assert (
        failed.plugin == "builtins, a notebook" and failed.reason == f"RuntimeError: bad value (plugin {failed.plugin})"
    )


def test_runs_are_grouped_by_cause():
    runs = [FailedRun(str(seed), f"mine (paper+x=1), seed {seed}", "KeyError", "x") for seed in (24, 25, 27, 26, 30)]
    runs += [
        FailedRun("a", "mine (paper+x=1), seed 28", "KeyError", "y"),
        FailedRun("b", "other, seed 24", "diverged", "z"),
    ]
    assert by_cause(runs) == [
        "mine (paper+x=1): 5 seeds (24-27, 30): KeyError: x",
        "mine (paper+x=1), seed 28 failed: KeyError: y",
        "other, seed 24 failed: diverged: z",
    ]


@pytest.mark.parametrize("pickled", [False, True])
def test_the_exception_is_kept_in_its_process_and_its_traceback_elsewhere(store, corpus, monkeypatch, pickled):
    class Local(RuntimeError):
        """Cannot be pickled."""

    def train(*arguments):
        raise Local("bad value")

    monkeypatch.setattr(worker, "train_seed_group", train)
    (program,) = programs([SPEC], corpus)
    failure = worker.train_program(program, corpus, store, "cpu", quiet)
    failure = pickle.loads(pickle.dumps(failure)) if pickled else failure  # noqa: S301
    schedule = Schedule([program])
    schedule.finish(schedule.start(), failure)
    failed = schedule.failed()
    assert isinstance(failed.cause, WorkerError if pickled else Local)
    assert "bad value" in str(failed.cause) and ("Traceback" in str(failed.cause)) == pickled
    with pytest.raises(TrainingFailed, match=r"speech, seed 24 failed: Local: bad value.*-v prints") as raised:
        Training(1.0, tuple(failed), failed.cause).require_complete()
    assert raised.value.__cause__ is failed.cause
