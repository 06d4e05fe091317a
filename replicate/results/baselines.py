"""Two baselines on the splits of a table: the majority class, and a logistic regression without context.

Not in the paper. They show how much of a score needs no model of the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.types import Corpus, Split
from replicate.metrics import DEFAULT, by_dialogue
from replicate.results.cell import Cell
from replicate.training.config import CONTEXTS

MAJORITY, LOGISTIC = "majority class", "logistic regression"
# Inverse strength of the L2 penalty.
C = 0.1
# Enough to converge on the corpora here; scikit-learn warns where it is not.
_ITERATIONS = 10_000
# Test log-probabilities by corpus, streams and baseline: a corpus has the same in every table.
_known: dict[tuple[str, tuple[str, ...]], NDArray[np.float64]] = {}


def baselines(
    corpora: Sequence[Corpus], contexts: Iterable[str], audio: Sequence[str], metric: str = DEFAULT
) -> dict[str, dict[str, Cell]]:
    """Return the cells of both baselines by name and context, trained on the training split alone.

    Args:
        corpora: the folds, or the one corpus.
        contexts: those of the table; a context whose streams the corpus lacks is left out.
        audio: the audio streams of the table's rows; each has a logistic regression of its own.
    """
    found: dict[str, dict[str, Cell]] = {MAJORITY: {}}
    for stream in audio:
        name = LOGISTIC if stream == "audio" else f"{LOGISTIC}, {stream}"
        for context in contexts:
            streams = tuple(stream if each == "audio" else each for each in CONTEXTS[context])
            if set(streams) <= set(corpora[0].widths):
                found[MAJORITY].setdefault(context, _cell(corpora, (), metric))
                found.setdefault(name, {}).setdefault(context, _cell(corpora, streams, metric))
    return {name: cells for name, cells in found.items() if cells}


def _cell(corpora: Sequence[Corpus], streams: tuple[str, ...], metric: str) -> Cell:
    """Return the cell of a logistic regression on these streams; without any, of the majority class."""
    tests = [corpus.split("test") for corpus in corpora]
    statistics = [
        by_dialogue(_labels(corpus, "test"), _predicted(corpus, streams), list(map(len, test)), len(corpus.labels))
        for corpus, test in zip(corpora, tests, strict=True)
    ]
    return Cell(
        np.concatenate(statistics)[None],
        np.repeat(np.arange(len(tests)), list(map(len, tests))),
        tuple(dialogue.id for test in tests for dialogue in test),
        corpora[0].labels,
        (),
        metric=metric,
    )


def _predicted(corpus: Corpus, streams: tuple[str, ...]) -> NDArray[np.float64]:
    """Return log-probabilities (N, classes) of the test split, computed once per corpus and streams."""
    key = corpus.hash, streams
    if key not in _known:
        _known[key] = logistic(corpus, streams) if streams else majority(corpus)
    return _known[key]


def majority(corpus: Corpus) -> NDArray[np.float64]:
    """Return the shares of the classes in train as log-probabilities for each test utterance, (N, classes)."""
    counts = np.bincount(_labels(corpus, "train"), minlength=len(corpus.labels))
    return np.tile(_log(counts / counts.sum()), (len(_labels(corpus, "test")), 1))


def logistic(corpus: Corpus, streams: tuple[str, ...]) -> NDArray[np.float64]:
    """Return log-probabilities (N, classes) that a logistic regression gives the test utterances one by one.

    Features are standardised by mean and deviation of train.
    """
    labels = _labels(corpus, "train")
    present = np.unique(labels)
    if len(present) < 2:
        return majority(corpus)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=_ITERATIONS))
    features = _features(corpus, "test", streams)
    found = np.zeros((len(features), len(corpus.labels)))
    # The same bits on any machine, and products this small are slower with several threads.
    with threadpool_limits(1):
        model.fit(_features(corpus, "train", streams), labels)
        found[:, present] = model.predict_proba(features)
    return _log(found)


def _labels(corpus: Corpus, split: Split) -> NDArray[np.int64]:
    return np.concatenate([dialogue.labels for dialogue in corpus.split(split)])


def _features(corpus: Corpus, split: Split, streams: tuple[str, ...]) -> NDArray[np.float64]:
    rows = [np.concatenate([d.features[name] for name in streams], axis=1) for d in corpus.split(split)]
    return np.concatenate(rows).astype(np.float64)


def _log(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logarithms, with a finite one of 0."""
    return np.log(np.maximum(shares, np.finfo(np.float64).tiny))
