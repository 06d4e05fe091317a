"""A store of planted runs for the commands that show, check and prune runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from replicate.store.store import Store
from replicate.training.config import Arm
from tests.planted import put
from tests.small_runs import SPEC, seeds, small_corpus

TEACHER = replace(SPEC, arm=Arm("both", "AV", ("A", "AV"), "AV", context_layers=1, gnn_heads=2))
STUDENT = replace(SPEC, arm=replace(SPEC.arm, name="student", teacher=TEACHER.arm))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "out" / "runs")


@pytest.fixture
def keys(store: Store) -> list[str]:
    """A speech run from two seeds, a teacher and its student."""
    corpus = small_corpus()
    return [put(store, spec, corpus, {"dev": 1}) for spec in (*seeds(24, 25), TEACHER, STUDENT)]
