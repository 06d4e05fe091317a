"""Runs of two seeds with teachers and students, and ways to train them and to compare what is saved."""

import json
from dataclasses import replace

import numpy as np

from replicate.runner.local import run_all
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
from replicate.store.store import EMBEDDINGS
from tests.small_runs import SPEC, STUDENT, of, programs

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
