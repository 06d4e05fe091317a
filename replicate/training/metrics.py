"""The one metric of the paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def weighted_f1(labels: ArrayLike, log_prob: ArrayLike) -> float:
    """F1 per class, averaged by the classes' shares, in 0..1 (the paper's metric).

    Shapes:
        labels: (N,) int; log_prob: (N, classes), or any scores whose largest wins.
    """
    from sklearn.metrics import f1_score

    return float(f1_score(labels, np.asarray(log_prob).argmax(1), average="weighted", zero_division=0))
