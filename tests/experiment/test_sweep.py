from dataclasses import replace
from itertools import pairwise

import pytest

from replicate.corpus.archive import write
from replicate.errors import CorruptRun, InvalidDefinition, MissingStream, TrainingFailed
from replicate.experiment.sweep import Sweep
from replicate.runner import local
from replicate.runner.failures import FailedRuns
from replicate.store.record import PREDICTIONS
from replicate.store.run import Run
from replicate.training.config import RunSpec
from tests.experiment.builders import prepare as prepare_command
from tests.planted import put
from tests.small_runs import small_corpus


def prepare(tmp_path, arm="COGMEN-Mask", trials=3, seeds="24,25", corpus=None):
    write(corpus or small_corpus(), tmp_path / "small.npz")
    out = tmp_path / "out"
    command = prepare_command(out, (), tmp_path / "small.npz", seeds=seeds)
    return Sweep.prepare(arm, trials, command.plan, command.context)


def plant(sweep, wrong):
    """Completed runs of every trial; ``wrong`` gives the mistakes on dev and on test by trial."""
    for trial in sweep.trials:
        for seed in sweep.plan.seeds:
            spec = RunSpec(trial.arm, trial.protocol, sweep.plan.profile.budget, seed)
            dev, test = wrong[trial.number]
            put(sweep.context.store, spec, sweep.plan.corpus, {"dev": dev, "test": test})


def test_the_best_on_dev_is_selected_however_bad_it_is_on_test(tmp_path):
    sweep = prepare(tmp_path)
    plant(sweep, {0: (2, 0), 1: (3, 0), 2: (0, 5), 3: (1, 1)})
    assert sweep.context.missing(sweep.graph) == []
    result = sweep.result()
    assert [trial.number for trial, _ in result.ranked] == [2, 3, 0, 1]
    means = [scores.summary.mean for _, scores in result.ranked]
    assert means[0] == 1 and means[-1] == 0 and all(a > b for a, b in pairwise(means))
    assert result.winner == sweep.trials[2]
    assert {number: list(cells) for number, cells in result.test.items()} == {2: ["A", "AV"], 0: ["A", "AV"]}
    assert result.test[2]["AV"].summary.mean == 0 and result.test[0]["A"].summary.mean == 1


def test_test_is_evaluated_for_the_selected_trial_and_the_unchanged_arm_only(tmp_path, monkeypatch):
    sweep = prepare(tmp_path)
    plant(sweep, {0: (2, 0), 1: (3, 0), 2: (1, 2), 3: (0, 3)})
    read = []

    def spy(name):
        original = getattr(Run, name)

        def method(run, split, *context):
            read.append((run.folder.name, split))
            return original(run, split, *context)

        monkeypatch.setattr(Run, name, method)

    spy("log_prob")
    spy("labels")
    sweep.result()
    keys = {trial.number: {sweep.key(trial, seed) for seed in (24, 25)} for trial in sweep.trials}
    assert {key for key, split in read if split == "test"} == keys[0] | keys[3]
    assert {key for key, split in read if split == "dev"} == keys[0] | keys[1] | keys[2] | keys[3]
    # Test is evaluated after the last use of dev: nothing is selected afterwards.
    splits = [split for _, split in read]
    assert set(splits[: splits.index("test")]) == {"dev"} and "dev" not in splits[splits.index("test") :]


def test_of_equal_trials_the_unchanged_arm_is_selected(tmp_path):
    sweep = prepare(tmp_path)
    plant(sweep, dict.fromkeys(range(4), (1, 1)))
    result = sweep.result()
    assert [trial.number for trial, _ in result.ranked] == [0, 1, 2, 3]
    assert list(result.test) == [0]


def test_scores_are_of_the_context_that_the_arm_is_selected_in(tmp_path, monkeypatch):
    sweep = prepare(tmp_path, trials=1)
    plant(sweep, {0: (1, 1), 1: (0, 0)})
    seen = []
    original = Run.log_prob

    def log_prob(run, split, context):
        seen.append((split, context))
        return original(run, split, context)

    monkeypatch.setattr(Run, "log_prob", log_prob)
    sweep.result()
    assert sweep.arm.select == "A" and sweep.arm.contexts == ("A", "AV")
    assert {context for split, context in seen if split == "dev"} == {"A"}
    assert {context for split, context in seen if split == "test"} == {"A", "AV"}


def test_one_seed_has_no_spread(tmp_path):
    sweep = prepare(tmp_path, seeds="24,", trials=1)
    plant(sweep, {0: (1, 1), 1: (0, 0)})
    assert {scores.summary.std for _, scores in sweep.result().ranked} == {None}


def test_students_come_after_their_teachers_which_are_shared(tmp_path):
    sweep = prepare(tmp_path, arm="Student-A", trials=4)
    names = [task.spec.arm.name for task in sweep.graph.tasks.values()]
    assert names.count("Teacher-AV") == 2 and len(names) == 2 + 2 * 5
    keys = list(sweep.graph.tasks)
    for task in sweep.graph.tasks.values():
        assert all(keys.index(teacher) < keys.index(task.key) for teacher in task.teachers)


def test_completed_runs_are_not_trained_again(tmp_path, monkeypatch):
    few, more = prepare(tmp_path, trials=2), prepare(tmp_path, trials=4)
    plant(few, dict.fromkeys(range(3), (0, 0)))
    todo = more.context.missing(more.graph)
    assert [(task.spec.arm.name, task.spec.seed) for task in todo] == [
        (trial.arm.name, seed) for seed in (24, 25) for trial in more.trials[3:]
    ]
    assert "4 of 1349 points of the grid and the unchanged arm, 10 runs, 6 completed, 4 to train" in more.describe(4)
    given = []
    monkeypatch.setattr(local, "run_all", lambda *arguments: given.append(arguments) or FailedRuns())
    more.context.train(more.graph, todo, print)
    corpora = {more.plan.corpus.hash: more.plan.corpus}
    assert given == [(more.graph.programs(todo), corpora, more.context.store, "cpu", 1, print)]


def test_trials_whose_runs_failed_are_not_ranked(tmp_path):
    sweep = prepare(tmp_path)
    plant(sweep, {0: (2, 0), 1: (0, 0), 2: (1, 0), 3: (3, 0)})
    failed = sweep.key(sweep.trials[1], 25)
    sweep.context.store.remove(failed)
    result = sweep.result({failed})
    assert [trial.number for trial, _ in result.ranked] == [2, 0, 3]
    with pytest.raises(TrainingFailed, match="COGMEN-Mask itself could not be trained"):
        sweep.result({sweep.key(sweep.trials[0], 24)})


def test_a_damaged_run_is_named_or_trained_again(tmp_path):
    sweep = prepare(tmp_path, trials=1)
    plant(sweep, dict.fromkeys(range(2), (0, 0)))
    key = sweep.key(sweep.trials[1], 25)
    (sweep.context.store.root / key / PREDICTIONS).unlink()
    with pytest.raises(CorruptRun, match=key):
        sweep.context.missing(sweep.graph)
    assert [task.key for task in sweep.context.missing(sweep.graph, repair=True)] == [key]
    with pytest.raises(CorruptRun, match=r"seed 25 is no longer.*again"):
        sweep.result()


def test_a_corpus_without_a_stream_of_the_teacher_is_refused(tmp_path):
    source = small_corpus()
    only = tuple(replace(d, features={"audio": d.features["audio"]}) for d in source.dialogues)
    speech = replace(source, dialogues=only)
    assert prepare(tmp_path, arm="COGMEN-A", corpus=speech).trials
    for arm in ("COGMEN-Mask", "Student-A"):
        with pytest.raises(MissingStream, match="'visual'"):
            prepare(tmp_path, arm=arm, corpus=speech)


def test_an_unknown_arm_is_named(tmp_path):
    with pytest.raises(InvalidDefinition, match=r"sweep.toml: unknown arm 'Student-B': did you mean Student-A"):
        prepare(tmp_path, arm="Student-B")
