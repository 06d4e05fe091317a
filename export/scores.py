"""Weighted F1, the paper's metric, of what exported files and PyTorch give."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from replicate.store.predictions import score


def weighted_f1(labels: ArrayLike, scores: ArrayLike, classes: Sequence[str]) -> float:
    """Return weighted F1 as in the tables, without scikit-learn, which takes a second to import.

    Shapes:
        labels: (N,) int; scores: (N, classes), probabilities or their logarithms.
    """
    return score("weighted_f1", labels, scores, classes)
