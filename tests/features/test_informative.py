from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest, f_classif

from replicate.corpus.types import Corpus, Dialogue, Split
from replicate.errors import BadSource
from replicate.features.informative import most_informative, selected


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
