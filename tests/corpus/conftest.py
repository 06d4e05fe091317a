"""Fixtures for tests of corpora: the folder of real files, and small corpora."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.corpus import catalogue
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import ReplicateError


def assert_refused(read: Callable[[], Any], error: type[ReplicateError], words: str, path: Path) -> None:
    """Check that ``read`` raises this error, in one line that contains the path and ``words``."""
    with pytest.raises(ReplicateError) as caught:
        read()
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def dialogue(id_: str = "d1", n: int = 2, split: Any = "train", **replace: Any) -> Dialogue:
    """A valid dialogue with streams audio (n, 2) and text (n, 1), and with some fields replaced."""
    fields: dict[str, Any] = {
        "speakers": np.arange(n) % 2,
        "labels": np.arange(n) % 2,
        "features": {
            "audio": np.arange(2 * n, dtype=np.float32).reshape(n, 2),
            "text": np.ones((n, 1), np.float32),
        },
    }
    return Dialogue(id=id_, split=split, **{**fields, **replace})


def corpus(*dialogues: Dialogue, **replace: Any) -> Corpus:
    """A corpus of the dialogues with two classes."""
    return Corpus(**{"name": "made-up", "labels": ("no", "yes"), "dialogues": dialogues, **replace})


FIELDS = ("ids", "speaker", "label", "text", "audio", "visual", "sentence")


@pytest.fixture
def nine() -> list[Any]:
    """The 9 raw fields: training dialogues t0..t10, test dialogues e0 and e1, of 3 utterances each."""
    rng = np.random.default_rng(0)
    train, test = [f"t{i}" for i in range(11)], ["e0", "e1"]
    fields: list[Any] = [{} for _ in FIELDS]
    for id_ in (*train, *test):
        vectors = [[rng.standard_normal(width).astype(np.float32) for _ in range(3)] for width in (100, 100, 512)]
        entry = ([f"{id_}_{i}" for i in range(3)], ["M", "F", "M"], [0, 3, 2], *vectors, ["a", "b", "c"])
        for field, value in zip(fields, entry, strict=True):
            field[id_] = value
    return [*fields, train, test]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Take a file for the published features of IEMOCAP with four classes."""

    def pin(path: Path) -> None:
        entry = catalogue.PublishedFile("o/r/c", "p", path.name, catalogue.git_blob_id(path))
        monkeypatch.setattr(catalogue, "IEMOCAP4", (entry,))

    return pin


@pytest.fixture
def pickled(tmp_path: Path) -> Callable[..., Path]:
    """Write an object as a pickle and return its path."""

    def write(content: Any, name: str = "features.pkl", protocol: int = 2) -> Path:
        path = tmp_path / name
        path.write_bytes(pickle.dumps(content, protocol))
        return path

    return write
