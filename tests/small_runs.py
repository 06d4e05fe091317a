"""Completed runs on a corpus of a few utterances."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from replicate.config import folders
from replicate.corpus.types import Corpus, Dialogue
from replicate.runner.tasks import Program, Task, TaskGraph
from replicate.store.keys import run_key
from replicate.store.store import Store
from replicate.training.config import Arm, Budget, Protocol, RunSpec
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs
from replicate.training.loop import RunResult, train

ARM = Arm("speech", "A", ("A",), "A", context_layers=1, gnn_heads=2)
TEACHER = Arm("teacher", "AV", ("A", "AV"), "AV", context_layers=1, gnn_heads=2)
STUDENT = replace(ARM, name="student", teacher=TEACHER)
SPEC = RunSpec(ARM, Protocol("paper"), Budget(epochs=2, batch=2, learning_rate=1e-3), 24)


def seeds(*numbers: int) -> list[RunSpec]:
    """The same run from other seeds."""
    return [replace(SPEC, seed=number) for number in numbers]


def of(arm: Arm, seed: int = 24) -> RunSpec:
    """The same run of another arm."""
    return replace(SPEC, arm=arm, seed=seed)


def graph(specs: Iterable[RunSpec], corpus: Corpus) -> TaskGraph:
    """Runs on one corpus, and their teachers."""
    return TaskGraph([(spec, corpus) for spec in specs], "cpu")


def listed(specs: Iterable[RunSpec], corpus: Corpus) -> list[Task]:
    """The tasks of runs on one corpus."""
    return list(graph(specs, corpus).tasks.values())


def programs(specs: Iterable[RunSpec], corpus: Corpus) -> list[Program]:
    """The programs that train runs on one corpus."""
    found = graph(specs, corpus)
    return found.programs(found.tasks.values())


def small_corpus() -> Corpus:
    """Four training dialogues, one of dev, two of test."""
    rng = np.random.default_rng(3)
    dialogues = tuple(
        Dialogue(
            f"{split}{i}",
            rng.integers(2, size=n),
            rng.integers(2, size=n),
            {name: rng.standard_normal((n, width)).astype(np.float32) for name, width in (("audio", 3), ("visual", 2))},
            split,
        )
        for i, (split, n) in enumerate(
            [("train", 3), ("train", 2), ("train", 4), ("train", 2), ("dev", 3), ("test", 2), ("test", 3)]
        )
    )
    return Corpus("small", ("no", "yes"), dialogues)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return small_corpus()


@pytest.fixture(scope="session")
def result(corpus: Corpus) -> RunResult:
    """The result of training ``SPEC``."""
    return train(SPEC, corpus)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def saved(store: Store, corpus: Corpus, result: RunResult) -> Path:
    """The folder of ``SPEC``'s run in ``store``."""
    key = run_key(SPEC, corpus, "cpu")
    store.put(key, SPEC, corpus, "cpu", result)
    return store.root / key


@pytest.fixture
def tables_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``tables/`` that is read instead of it."""
    folder = tmp_path / "tables"
    shutil.copytree(folders.packaged(), folder)
    monkeypatch.setattr(folders, "packaged", lambda: folder)
    return folder


@pytest.fixture
def edit(tables_folder: Path) -> Callable[[str, str, str], None]:
    """Replace the first such part of one file of ``tables_folder``."""

    def replace_part(name: str, old: str, new: str) -> None:
        path = tables_folder / f"{name}.toml"
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return replace_part


def teacher_outputs(embedding: Tensor) -> TeacherOutputs:
    """Outputs of a teacher with these embeddings; no two of its tensors are equal if these are not."""
    dev = embedding[:1] + 1
    return TeacherOutputs(
        UtteranceOutputs(embedding, embedding.log_softmax(1)),
        UtteranceOutputs(dev, (2 * dev).log_softmax(1)),
        "somewhere",
    )
