"""What trackers get of a run, and when they get it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.errors import CannotWrite
from replicate.metrics import all_names
from replicate.report.tracking import TrackedRun, Tracking
from replicate.runner.progress import Progress
from replicate.store.store import Store
from tests import planted
from tests.hostile import NAME
from tests.small_runs import SPEC, STUDENT, graph, of, seeds, small_corpus


class Memory:
    """A tracker that keeps what it gets."""

    place = "memory"

    def __init__(self, fails=()):
        self.runs, self.fails = {}, fails

    def has(self, run):
        return run.record.key in self.runs

    def write(self, run):
        if run.seed in self.fails:
            raise RuntimeError("no\nspace")
        self.runs[run.key] = run


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def test_settings_curve_scores_and_tags_of_a_run(store):
    corpus = small_corpus()
    run = store.get(planted.put(store, SPEC, corpus, {"test": 1}))
    found = TrackedRun.of(run)
    assert found.name == "speech/24/small" and found.tags["key"] == run.record.key
    assert found.tags["corpus_hash"] == corpus.hash
    assert (found.settings["arm.masked"], found.settings["budget.batch"]) == ("false", "2")
    assert found.settings["protocol.model.dropout"] == str(run.record.protocol.model.dropout)
    assert list(found.curve) == [1, 2, 3]
    expected = {"train/loss": 0.5, "dev/loss": 0.5, "dev/f1": 0.875, "train/learning_rate": 1e-3}
    assert found.curve[2] == expected
    assert len(found.scores) == 3 * len(all_names(corpus.labels))
    assert found.scores["dev/A/weighted_f1"] == 1 > found.scores["test/A/weighted_f1"] == run.f1("A")
    assert found.scores["test/A/f1/yes"] == run.score("f1:yes", "A")


def test_names_of_other_people_are_text(store):
    corpus = replace(small_corpus(), name=NAME[:100], labels=("a?", "a!"))
    found = TrackedRun.of(store.get(planted.put(store, SPEC, corpus)))
    names = [*found.settings, *found.scores, *(name for each in found.curve.values() for name in each)]
    assert all(name.isprintable() for name in names) and not set("<>{}'\"`$") & set("".join(names))
    assert {name for name in names if name.startswith("test/A/f1/")} == {"test/A/f1/a_ 0", "test/A/f1/a_ 1"}
    assert found.name.isprintable() and found.tags["corpus"].isprintable()
    assert all(value.isprintable() for value in found.settings.values())


def test_a_student_names_its_teachers_run(store):
    corpus = small_corpus()
    key = planted.put(store, of(STUDENT), corpus)
    (teacher,) = store.get(key).record.teacher_runs
    assert TrackedRun.of(store.get(key)).tags["teacher_runs"] == teacher


def test_each_run_is_written_once_when_it_is_complete(store):
    corpus = small_corpus()
    tasks = list(graph(seeds(24, 25, 26), corpus).tasks.values())
    tracker, seen = Memory(), []
    tracking = Tracking([tracker], store)
    planted.put(store, tasks[0].spec, corpus)
    tracking.write(task.key for task in tasks)
    assert [run.seed for run in tracker.runs.values()] == [24]
    planted.put(store, tasks[1].spec, corpus)
    on_progress = tracking.after(seen.append)
    on_progress(Progress(tasks[1], store.get(tasks[0].key).record.curve[0]))
    assert len(tracker.runs) == 1
    on_progress(Progress(tasks[1], None))
    on_progress(Progress(tasks[1], None))
    assert [run.seed for run in tracker.runs.values()] == [24, 25] and len(seen) == 3
    tracking.require_complete()


def test_a_tracker_that_fails_ends_no_training_and_is_named_at_the_end(store):
    corpus = small_corpus()
    keys = [planted.put(store, spec, corpus) for spec in seeds(24, 25)]
    tracker = Memory(fails=(24,))
    tracking = Tracking([tracker], store)
    tracking.write(keys)
    assert [run.seed for run in tracker.runs.values()] == [25]
    with pytest.raises(CannotWrite, match=r"^not all runs could be written to memory \(no space\): they are complete"):
        tracking.require_complete()
