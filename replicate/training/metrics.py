"""The paper's metric, weighted F1, by which epochs are chosen; all metrics are in ``replicate.metrics``."""

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
