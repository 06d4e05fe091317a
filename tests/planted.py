"""Complete runs without training; a test chooses how many of their predictions are wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from replicate.corpus.types import SPLITS, Corpus
from replicate.store.keys import run_key
from replicate.store.record import CHECKPOINT
from replicate.store.store import Store
from replicate.training.config import RunSpec
from replicate.training.data import Scale
from replicate.training.loop import Epoch, RunResult, model_config

CURVE = (Epoch(1, 0.75, 0.625, 0.25, 1e-3), Epoch(2, 0.5, 0.5, 0.875, 1e-3), Epoch(3, 0.25, 0.75, 0.5, 1e-4))


def result(spec: RunSpec, corpus: Corpus, wrong: Mapping[str, int]) -> RunResult:
    """A run whose first ``wrong[split]`` predictions of a split are wrong; its learning curve is ``CURVE``."""
    log_prob = {}
    for split in SPLITS:
        predicted = np.concatenate([dialogue.labels for dialogue in corpus.split(split)])
        predicted[: wrong.get(split, 0)] += 1
        certain = np.log(np.eye(len(corpus.labels), dtype=np.float32) * 0.9 + 0.1 / len(corpus.labels))
        rows = certain[predicted % len(corpus.labels)]
        log_prob |= {(split, context): rows for context in spec.arm.contexts}
    scaling = {name: Scale(np.zeros(1, np.float32), np.ones(1, np.float32)) for name in spec.arm.streams}
    model = model_config(spec, corpus)
    return RunResult(model, {"weight": torch.zeros(2)}, scaling, log_prob, CURVE, 2, 1.25)


def put(store: Store, spec: RunSpec, corpus: Corpus, wrong: Mapping[str, int] | None = None) -> str:
    """Key of a planted run that is now in the store."""
    key = run_key(spec, corpus, "cpu")
    teachers = [run_key(teacher, corpus, "cpu") for teacher in spec.teachers]
    store.put(key, spec, corpus, "cpu", result(spec, corpus, wrong or {}), teachers)
    return key


def damage(store: Store, key: str, name: str = CHECKPOINT) -> None:
    """Append a byte to one file of a run."""
    with (store.root / key / name).open("ab") as file:
        file.write(b"x")
