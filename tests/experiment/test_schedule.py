import json
import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from replicate.errors import CorruptRun, Diverged, MissingDevice, WorkerDied
from replicate.experiment import schedule
from replicate.experiment.schedule import Progress, missing, resolve_device, run_all
from replicate.experiment.store import CHECKPOINT, PREDICTIONS, RECORD, Store, run_key

from .conftest import SPEC, seeds


def quiet(progress):
    pass


def run(store, corpus, specs, jobs=1, listen=quiet):
    run_all(specs, corpus, store, "cpu", jobs, listen)


def contents(store):
    """Everything that a store holds but for times, by key."""
    found = {}
    for folder in store.root.iterdir():
        record = json.loads((folder / RECORD).read_text())
        with np.load(folder / PREDICTIONS) as arrays:
            predictions = {name: arrays[name].tobytes() for name in arrays}
        del record["seconds"], record["files"], record["sha256"]
        found[folder.name] = (record, predictions, (folder / CHECKPOINT).read_bytes())
    return found


def test_two_processes_give_the_same_bits_as_one(store, corpus, tmp_path):
    specs = seeds(24, 25, 26)
    news: list[Progress] = []
    other = Store(tmp_path / "parallel")
    run(store, corpus, specs)
    run(other, corpus, specs, 2, news.append)
    assert len(contents(store)) == 3
    assert contents(store) == contents(other)
    assert sorted(p.spec.seed for p in news if p.epoch is None) == [24, 25, 26]
    assert sorted((p.spec.seed, p.epoch.epoch) for p in news if p.epoch) == [
        (s, e) for s in (24, 25, 26) for e in (1, 2)
    ]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_an_error_of_a_worker_is_raised_here(store, corpus):
    wild = [replace(spec, budget=replace(spec.budget, learning_rate=1e30)) for spec in seeds(24, 25)]
    with pytest.raises(Diverged, match="speech, seed"):
        run(store, corpus, wild, 2)
    assert not store.root.exists()


@pytest.mark.slow
def test_a_killed_worker_is_named_and_finished_runs_are_kept(store, corpus):
    def listen(progress):
        if progress.epoch is None:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    long = [replace(spec, budget=replace(spec.budget, epochs=20)) for spec in seeds(*range(24, 64))]
    with pytest.raises(WorkerDied, match="--jobs"):
        run(store, corpus, long, 2, listen)
    keys = [run_key(spec, corpus, "cpu") for spec in long]
    assert 1 <= sum(store.get(key) is not None for key in keys) < 40
    assert multiprocessing.active_children() == []


def test_the_listener_hears_every_epoch_and_every_finished_run(store, corpus):
    heard = []
    run(store, corpus, seeds(24, 25), listen=lambda p: heard.append((p.spec.seed, p.epoch and p.epoch.epoch)))
    assert heard == [(24, 1), (24, 2), (24, None), (25, 1), (25, 2), (25, None)]


@pytest.mark.parametrize(("epoch", "finished"), [(1, 1), (2, 1), (None, 2)])
def test_an_interrupt_keeps_finished_runs_and_no_half_one(store, corpus, epoch, finished):
    def listen(progress):
        if progress.spec.seed == 25 and (progress.epoch and progress.epoch.epoch) == epoch:
            raise KeyboardInterrupt

    specs = seeds(24, 25, 26)
    with pytest.raises(KeyboardInterrupt):
        run(store, corpus, specs, listen=listen)
    assert {path.name for path in store.root.iterdir()} == {run_key(s, corpus, "cpu") for s in specs[:finished]}
    assert missing(specs, corpus, store, "cpu") == specs[finished:]


def test_finished_runs_are_not_missing_and_each_is_listed_once(store, corpus, stored):
    specs = seeds(25, 24, 25)
    assert missing(specs, corpus, store, "cpu") == seeds(25)
    assert missing(specs, corpus, store, "cuda") == seeds(25, 24)


def test_a_damaged_run_is_no_missing_run(store, corpus, stored):
    (stored / PREDICTIONS).write_bytes(b"")
    with pytest.raises(CorruptRun):
        missing([SPEC], corpus, store, "cpu")


def test_devices(monkeypatch):
    for there, auto in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(schedule.torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device("auto") == auto and resolve_device("cpu") == "cpu"
    with pytest.raises(MissingDevice):
        resolve_device("cuda")
