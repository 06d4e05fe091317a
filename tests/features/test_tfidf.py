from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from replicate.errors import BadSource
from replicate.features.tfidf import Tfidf

TEXTS = ["we could try it tomorrow", "no that is not it", "we could not", "yes we try", "that is tomorrow, is it"]


def by_hand(training: list[str], texts: list[str]) -> np.ndarray:
    """TF-IDF with smooth inverse frequencies, rows of length 1; words of two letters and more, and pairs of them."""

    def grams(text: str) -> Counter[str]:
        words = re.findall(r"\w\w+", text.lower())
        return Counter([*words, *(f"{one} {two}" for one, two in pairwise(words))])

    counts = [grams(text) for text in training]
    frequency = Counter(gram for one in counts for gram in one)
    vocabulary = sorted(gram for gram, n in frequency.items() if n >= 2)
    weights = np.array([np.log((1 + len(training)) / (1 + frequency[gram])) + 1 for gram in vocabulary])
    rows = np.array([[grams(text)[gram] for gram in vocabulary] for text in texts]) * weights
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def test_features_equal_tfidf_and_svd_by_hand() -> None:
    texts = [*TEXTS, "tomorrow we could", "entirely unknown"]
    found = Tfidf(TEXTS, columns=3)(texts)
    directions = np.linalg.svd(by_hand(TEXTS, TEXTS), full_matrices=False)[2][:3]
    expected = by_hand(TEXTS, texts) @ directions.T
    signs = np.sign((found * expected).sum(0))  # the sign of a direction is arbitrary
    np.testing.assert_allclose(found * signs, expected, atol=1e-6)
    assert (found[-1] == 0).all() and found.dtype == np.float32


def test_the_recipe_tells_what_decides_the_numbers() -> None:
    recipe = Tfidf(TEXTS, columns=3).recipe
    assert (recipe["extractor"], recipe["components"], recipe["seed"]) == ("tfidf", 3, 0)
    assert recipe["vocabulary"] == by_hand(TEXTS, TEXTS).shape[1]
    assert Tfidf(TEXTS[::-1], columns=3).recipe["training"] != recipe["training"]


@pytest.mark.parametrize(
    ("texts", "columns", "words"),
    [
        ([], 3, "training split, and it is empty"),
        (["one", "two"], 1, "no word is in 2 of the 2 training texts"),
        (["", ""], 1, "no word is in 2"),
        (TEXTS, 6, "5 training texts .* choose at most 5 with --columns"),
        (["ab", "ab", "ab"], 2, "1 words and pairs of words give no 2 columns: choose at most 1"),
    ],
)
def test_too_few_texts_are_refused(texts: list[str], columns: int, words: str) -> None:
    with pytest.raises(BadSource, match=words):
        Tfidf(texts, columns)


def test_another_process_computes_the_same_bits() -> None:
    code = (
        f"from replicate.features.tfidf import Tfidf; print(Tfidf({TEXTS!r}, 3)({TEXTS!r}).tobytes().hex());"
        "import sys; print([name for name in ('soundfile', 'transformers', 'torch') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == [Tfidf(TEXTS, 3)(TEXTS).tobytes().hex(), "[]"]


def test_text_of_real_transcripts_tells_the_label(shared_data: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    with (shared_data / "mosi" / "transcripts.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    texts, labels = [row[1] for row in rows], np.array([int(row[3]) for row in rows])
    features = Tfidf(texts[:1500])(texts)
    assert features.shape == (len(rows), 100)
    model = LogisticRegression(max_iter=1000).fit(features[:1500], labels[:1500])
    majority = np.bincount(labels[1500:]).max() / len(labels[1500:])
    assert model.score(features[1500:], labels[1500:]) > majority + 0.03
