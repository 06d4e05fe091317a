import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from replicate.corpus.types import Corpus, Dialogue
from replicate.experiment.schedule import Progress
from replicate.report import progress
from replicate.training.run import Epoch
from replicate.training.settings import Arm, Budget, Protocol, RunSpec

SPEECH = RunSpec(Arm("speech", "A", ("A",), "A"), Protocol("paper"), Budget(epochs=2), 24)
SPECS = [SPEECH, replace(SPEECH, seed=25), replace(SPEECH, arm=Arm("both", "AV", ("AV",), "AV"))]
ONE = np.zeros(1, np.int64)
CORPUS = Corpus("c", ("a",), (Dialogue("d", ONE, ONE, {"audio": np.ones((1, 100), np.float32)}, "train"),))


def told(specs, console):
    """Tell of every epoch and of every finished run."""
    with progress.training(specs, CORPUS, console) as listen:
        for spec in specs:
            for number in range(1, spec.budget.epochs + 1):
                listen(Progress(spec, Epoch(number, 1.0, 1.0, 0.5, 1e-3)))
            listen(Progress(spec, None))


def test_elsewhere_a_line_per_finished_run(monkeypatch):
    clock = iter([100.0, 102.0, 700.0, 900.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    told(SPECS, Console(file=out, width=20))
    # All three cost the same here (the corpus has no video): after 1 of 3 in 2 s 4 s are left, after 2 in 600 s 300 s.
    assert out.getvalue().splitlines() == [
        "run 1/3 finished: speech, seed 24; about 4 s left",
        "run 2/3 finished: speech, seed 25; about 5 min left",
        "run 3/3 finished: both, seed 24; about 0 s left",
    ]


def test_in_a_terminal_a_bar_that_goes_away():
    out = io.StringIO()
    told(SPECS[:2], Console(file=out, width=100, force_terminal=True))
    text = out.getvalue()
    assert "finished:" not in text and "runs" in text
    assert (
        re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines()[-1].strip() == ""
        or "\x1b[2K" in text
    )


def test_nothing_to_train_says_nothing():
    out = io.StringIO()
    told([], Console(file=out))
    assert out.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_an_interrupt_passes_through(terminal):
    with (
        pytest.raises(KeyboardInterrupt),
        progress.training(SPECS, CORPUS, Console(file=io.StringIO(), force_terminal=terminal)),
    ):
        raise KeyboardInterrupt
