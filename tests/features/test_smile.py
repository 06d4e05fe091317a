from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import opensmile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from opensmile.core.lib import OpenSmileException
from sklearn.feature_selection import SelectKBest, f_classif

from replicate.corpus.types import Corpus, Dialogue, Split
from replicate.errors import BadSource, TooLittleMemory
from replicate.features.smile import SETS, Smile, most_informative, selected
from tests.recordings import tone


def test_every_set_is_one_of_opensmile() -> None:
    assert set(SETS) <= set(opensmile.FeatureSet.__members__)


@pytest.mark.parametrize(("feature_set", "width"), [("eGeMAPSv02", 88), ("ComParE_2016", 6373)])
def test_vectors_are_those_of_opensmile(feature_set: str, width: int) -> None:
    signals = [tone(0.3), tone(0.2, hertz=400)]
    extractor = Smile(feature_set)
    found = extractor(signals)
    assert (found.shape, found.dtype) == ((2, width), np.float32)
    assert len(extractor.recipe["columns"]) == width
    smile = opensmile.Smile(feature_set, "func")
    for samples, vector in zip(signals, found, strict=True):
        frame = smile.process_signal(samples, 16_000)
        np.testing.assert_array_equal(vector, frame.to_numpy()[0])
        assert list(frame.columns) == extractor.recipe["columns"]


def test_an_interrupt_does_not_wait_until_an_utterance_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """In openSMILE's callbacks the exception would be lost."""
    extractor, goes_on = Smile(), threading.Event()

    def interrupted(samples: NDArray[np.float32], rate: int) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        goes_on.wait(60)

    monkeypatch.setattr(extractor._smile, "process_signal", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extractor([tone(0.2), tone(0.3)])
    assert not goes_on.is_set()
    goes_on.set()


def test_a_failure_of_opensmile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(samples: NDArray[np.float32], rate: int) -> Any:
        raise OpenSmileException(1, "Unknown exception")

    extractor = Smile()
    monkeypatch.setattr(extractor._smile, "process_signal", fail)
    with pytest.raises(TooLittleMemory, match=r"openSMILE failed .*Unknown exception"):
        extractor([tone(0.2)])


@pytest.mark.parametrize("feature_set", SETS)
def test_the_shortest_utterance_has_features(feature_set: str) -> None:
    extractor = Smile(feature_set)
    assert np.isfinite(extractor([tone(1)[: extractor.shortest]])).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_selection_is_that_of_scikit_learn(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(30) % 3
    features = (rng.standard_normal((30, 6)) + labels[:, None] * rng.uniform(0, 2, 6)).astype(np.float32)
    found = most_informative(features, labels, count, "abcdef")
    wanted = SelectKBest(f_classif, k=count).fit(features.astype(np.float64), labels).get_support(indices=True)
    assert found == wanted.tolist()


def test_constant_columns_and_perfect_ones() -> None:
    labels = np.array([0, 0, 1, 1])
    features = np.array([[5, 1, 0, 0, 1], [5, 2, 0, 0, 2], [5, 1, 1, 1, 2], [5, 2, 1, 1, 3]], np.float32)
    assert most_informative(features, labels, 1, "abcde") == [2]  # two separate the classes; the first one is taken
    assert most_informative(features, labels, 3, "abcde") == [2, 3, 4]
    with pytest.raises(BadSource, match="--select 5: only 4 of 5 columns vary"):
        most_informative(features, labels, 5, "abcde")
    with pytest.raises(BadSource, match="two classes"):
        most_informative(features, np.zeros(4, np.int64), 1, "abcde")


def corpus(**columns: list[float]) -> Corpus:
    """Two training utterances, then two of test, of classes 0 1 0 1."""
    rows = np.array(list(columns.values()), np.float32).T

    def dialogue(split: Split, part: slice) -> Dialogue:
        return Dialogue(split, np.zeros(2, np.int64), np.array([0, 1]), {"audio": rows[part]}, split)

    dialogues = dialogue("train", slice(2)), dialogue("test", slice(2, 4))
    return Corpus("c", ("a", "b"), dialogues, recipes={"audio": {"columns": list(columns), "set": "x"}})


def test_columns_are_selected_in_training_only_and_recorded() -> None:
    found = selected(corpus(flat=[1, 1, 5, 9], b=[0, 1, 7, 7], c=[3, 2, 8, 8]), 2)
    assert [d.features["audio"].tolist() for d in found.dialogues] == [[[0, 3], [1, 2]], [[7, 8], [7, 8]]]
    assert found.recipes["audio"]["columns"] == ["b", "c"]
    assert "the 2 of 3 columns with the highest ANOVA F" in found.recipes["audio"]["select"]


def test_selection_needs_a_training_split() -> None:
    whole = corpus(a=[1, 2, 3, 4])
    with pytest.raises(BadSource, match="needs a training split"):
        selected(Corpus("c", ("a", "b"), whole.dialogues[1:], recipes=whole.recipes), 1)
