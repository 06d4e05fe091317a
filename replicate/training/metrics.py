"""The paper's metric, weighted F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def weighted_f1(labels: ArrayLike, log_prob: ArrayLike) -> float:
    """Compute F1 per class, averaged with the shares of the classes as weights, in 0..1 (the paper's metric).

    Shapes:
        labels: (N,) int; log_prob: (N, classes), or other scores of which the largest is the prediction.
    """
    from sklearn.metrics import f1_score

    return float(f1_score(labels, np.asarray(log_prob).argmax(1), average="weighted", zero_division=0))


def f1_by_class(labels: ArrayLike, log_prob: ArrayLike) -> tuple[float, ...]:
    """Compute F1 of every class, in the order of the classes."""
    from sklearn.metrics import f1_score

    scores = np.asarray(log_prob)
    found = f1_score(labels, scores.argmax(1), labels=range(scores.shape[1]), average=None, zero_division=0)
    return tuple(map(float, found))
