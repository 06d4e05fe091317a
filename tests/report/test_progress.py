import io
import logging
import re
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from replicate.corpus.types import Corpus, Dialogue
from replicate.report import progress
from replicate.runner.progress import Progress
from replicate.runner.tasks import Task, cost
from replicate.store.record import EpochRecord
from replicate.training.config import Arm, Budget, Hubert, Protocol, RunSpec

SPEECH = RunSpec(Arm("speech", "A", ("A",), "A"), Protocol("paper"), Budget(epochs=2), 24)
ONE = np.zeros(1, np.int64)
CORPUS = Corpus("c", ("a",), (Dialogue("d", ONE, ONE, {"audio": np.ones((1, 100), np.float32)}, "train"),))
SPECS = [SPEECH, replace(SPEECH, seed=25), replace(SPEECH, arm=Arm("both", "AV", ("AV",), "AV"))]
CORPORA = {CORPUS.hash: CORPUS}
TASKS = [Task(f"run{i}", spec, CORPUS.hash, None) for i, spec in enumerate(SPECS)]


@pytest.fixture
def log(caplog, monkeypatch):
    """What is logged; without a terminal these are the lines on stderr."""
    caplog.set_level(logging.INFO, "replicate")
    # caplog keeps the records of the root logger.
    monkeypatch.setattr(logging.getLogger("replicate"), "propagate", True)
    return caplog


def report(tasks, console=None, elsewhere=()):
    """Report every epoch and every completed run; other processes train those of ``elsewhere``."""
    with progress.training(tasks, CORPORA, console or Console(file=io.StringIO())) as callback:
        for task in tasks:
            for number in range(1, task.spec.budget.epochs + 1):
                if task not in elsewhere:
                    callback(Progress(task, EpochRecord(number, 1.0, 1.0, 0.5, 1e-3)))
            callback(Progress(task, None))


def test_without_a_terminal_each_completed_run_is_a_line(log, monkeypatch):
    clock = iter([100.0, 102.0, 700.0, 900.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    report(TASKS)
    # All three cost the same here (the corpus has no video): after 1 of 3 in 2 s 4 s are left, after 2 in 600 s 300 s.
    assert log.messages == [
        "run 1/3 complete: speech, seed 24; about 4 s left",
        "run 2/3 complete: speech, seed 25; about 5 min left",
        "run 3/3 complete: both, seed 24; about 0 s left",
    ]


def test_runs_of_another_process_do_not_count_as_time_left(log, monkeypatch):
    clock = iter([100.0, 102.0, 104.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    report(TASKS, elsewhere=TASKS[1:2])
    # After run 1 (2 s) 2 runs are left. Run 2 was trained elsewhere: 1 run in 4 s, so 1 more run takes 4 s.
    assert [line.rpartition("; ")[2] for line in log.messages] == [
        "about 4 s left",
        "about 4 s left",
        "about 0 s left",
    ]


def test_runs_of_another_process_are_reported(log):
    report(TASKS, elsewhere=TASKS)
    assert [line.split(";")[0] for line in log.messages] == [
        f"run {i}/3 complete: {task.name}" for i, task in enumerate(TASKS, 1)
    ]


def width_of(arm, projection="learned", **widths):
    ones = {name: np.ones((1, width), np.float32) for name, width in widths.items()}
    corpus = Corpus("c", ("a",), (Dialogue("d", ONE, ONE, ones, "train"),))
    protocol = Protocol("p", hubert=Hubert(projection))
    return cost(Task("run", replace(SPEECH, arm=arm, protocol=protocol), corpus.hash, None), corpus)


def test_wider_and_deeper_models_cost_more():
    widths = {"audio": 100, "visual": 512, "hubert": 1024, "hubert-second-to-last": 1024}
    speech, both = SPEECH.arm, SPECS[2].arm
    deep, hubert = replace(both, context_layers=4), replace(speech, audio="hubert")
    assert width_of(speech, **widths) < width_of(both, **widths) < width_of(deep, **widths)
    # HuBERT features are projected to 100 columns, whichever layer, unless the protocol has another projection.
    for layer in (hubert, replace(hubert, audio="hubert-second-to-last")):
        assert width_of(layer, **widths) == width_of(speech, **widths) < width_of(layer, "none", **widths)


def test_in_a_terminal_training_is_a_bar_that_is_removed_at_its_end():
    out = io.StringIO()
    report(TASKS[:2], Console(file=out, width=100, force_terminal=True))
    text = out.getvalue()
    assert "complete:" not in text and "runs" in text
    assert (
        re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines()[-1].strip() == ""
        or "\x1b[2K" in text
    )


def test_the_bar_says_that_processes_start_until_the_first_epoch():
    out = io.StringIO()
    screen = Console(file=out, width=100, force_terminal=True)
    with progress.training(TASKS, CORPORA, screen, jobs=2) as callback:
        time.sleep(0.25)  # the bar is drawn ten times a second
        assert "starting 2 processes" in out.getvalue() and "0/3 runs" not in out.getvalue()
        before = len(out.getvalue())
        callback(Progress(TASKS[0], EpochRecord(1, 1.0, 1.0, 0.5, 1e-3)))
        time.sleep(0.25)
        assert "0/3 runs" in out.getvalue()[before:] and "starting" not in out.getvalue()[-200:]


@pytest.mark.parametrize("terminal", [True, False])
def test_while_the_bar_is_paused_stdout_is_free(terminal, monkeypatch):
    out, stdout = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    with progress.training(TASKS, CORPORA, Console(file=out, width=100, force_terminal=terminal)) as callback:
        callback(Progress(TASKS[0], None))
        with callback.paused():
            written = len(out.getvalue())
            print("a table")
            time.sleep(0.25)
            assert len(out.getvalue()) == written, "the bar is not drawn meanwhile"
        callback(Progress(TASKS[1], None))
    assert stdout.getvalue() == "a table\n"
    assert not terminal or "2/3 runs" in out.getvalue()[written:]


def test_nothing_to_train_prints_nothing(log):
    out = io.StringIO()
    report([], Console(file=out))
    assert out.getvalue() == "" and log.messages == []


@pytest.mark.parametrize("terminal", [True, False])
def test_an_interrupt_passes_through(terminal):
    with (
        pytest.raises(KeyboardInterrupt),
        progress.training(TASKS, CORPORA, Console(file=io.StringIO(), force_terminal=terminal)),
    ):
        raise KeyboardInterrupt


def test_without_a_terminal_every_tenth_is_a_line(log, monkeypatch):
    clock = iter([100.0, 103.0, 400.0, 700.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.steady("audio", 20.0, Console(file=io.StringIO())) as advance:
        for part in (1.0, 4.0, 0.5, 4.5, 10.0):
            advance(part)
    # A quarter in 3 s leaves 9 s, a half in 300 s as much again.
    assert log.messages == [
        "audio: 20 % done; about 9 s left",
        "audio: 50 % done; about 5 min left",
        "audio: 100 % done; about 0 s left",
    ]


def test_in_a_terminal_steady_progress_is_a_bar():
    out = io.StringIO()
    with progress.steady("audio", 2.0, Console(file=out, force_terminal=True, width=100)) as advance:
        advance(1.0)
    assert "audio" in out.getvalue()
    assert "left" in out.getvalue()
