"""Large inputs that are made without training: a corpus of noise, and a results folder with its completed runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from replicate.config import tables
from replicate.corpus import Corpus, Dialogue, archive
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext
from replicate.experiment.plan import Plan
from replicate.experiment.prepare import Options, prepare
from replicate.model.cogmen import COGMEN
from replicate.report import outputs
from replicate.store.store import Store
from replicate.training.config import RunSpec
from replicate.training.data import scales
from replicate.training.loop import Epoch, RunResult, model_config


def write_corpus(path: Path, dialogues: int, utterances: int = 20, width: int = 100) -> None:
    """Write a corpus of noise with two speakers and four classes."""
    draws = np.random.default_rng(0)
    splits = ["dev", "test", *["train"] * 8]
    made = tuple(
        Dialogue(
            f"noise_{number:05d}",
            np.arange(utterances) % 2,
            draws.integers(0, 4, utterances),
            {"audio": draws.standard_normal((utterances, width), np.float32)},
            splits[number % len(splits)],  # type: ignore[arg-type]
        )
        for number in range(dialogues)
    )
    archive.write(Corpus("noise", ("a", "b", "c", "d"), made), path)


def write_results(out: Path, runs: int) -> Path:
    """Write at least so many runs of the paper's tables, and their tables; return the results folder."""
    names = [name for name in tables.table_names() if not tables.table(name).extra]
    options = Options(profile="smoke", seeds="24,", out=out, device="cpu", jobs=1)
    plan, context = prepare(names, options)
    plan, context = prepare(names, replace(options, seeds=-(-runs // len(plan.tasks))))
    _put_all(plan, context)
    return outputs.write(CompletedRuns(plan, context.store), context, 0.0).folder


def _put_all(plan: Plan, context: CommandContext) -> None:
    """Save a run with random predictions under every key of a plan."""
    store = Store(context.store.root)
    for number, task in enumerate(plan.tasks.values()):
        corpus = plan.graph.corpora[task.corpus]
        result = _result(task.spec, corpus, number, task.spec.seed == plan.seeds[0])
        store.put(task.key, task.spec, corpus, plan.device, result, task.teachers)


def _result(spec: RunSpec, corpus: Corpus, number: int, drawn: bool) -> RunResult:
    """Return a run with a learning curve of 55 epochs; ``drawn``: with the weights that a figure needs."""
    draws = np.random.default_rng(number)
    log_prob = {}
    for split in ("train", "dev", "test"):
        labels = np.concatenate([dialogue.labels for dialogue in corpus.split(split)])  # type: ignore[arg-type]
        for context in spec.arm.contexts:
            logits = draws.standard_normal((len(labels), len(corpus.labels))) + 2 * np.eye(len(corpus.labels))[labels]
            log_prob[split, context] = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    curve = tuple(
        Epoch(epoch, *draws.random(3), 1e-4, {"nll": 1.0, "triplet": 0.5} if spec.arm.method else {})
        for epoch in range(1, 56)
    )
    config = model_config(spec, corpus)
    weights = COGMEN(config).state_dict() if drawn else {}
    scaling = scales(corpus, spec.arm.streams)
    return RunResult(config, weights, scaling, log_prob, curve, 55, 1.25)
