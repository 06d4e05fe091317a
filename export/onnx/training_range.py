"""Fit the range of the features of the training split, with which ``export.distance`` notices other recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.distance import FIRST, FRACTION, measures, statistics, summary
from replicate.corpus.types import Corpus

# Utterances of the training below which its range is not known.
LEAST = 100
# A normal distribution's deviation is this many times its median absolute deviation.
NORMAL = 1.4826
# Of the axes: most of them, and least columns and utterances for each.
MOST_AXES, COLUMNS, ROWS = 20, 4, 10
# Utterances of the recordings for which limits are computed.
SIZES = (1, 2, 4, FIRST)
# Limits are this quantile of the windows of training and dev, times a margin for speakers who are in neither.
QUANTILE, MARGIN = 0.99, 1.25
# Of all features; fewer beyond their range are no reason for a warning.
SHARE = 0.02


def fit_range(corpus: Corpus, stream: str) -> dict[str, Any] | None:
    """Return entry ``range`` of an exported file's metadata; None if the training has fewer than ``LEAST`` utterances.

    Medians and deviations are those of train; the limits are computed on windows of utterances of train and dev.
    """
    train = [dialogue.features[stream].astype(np.float64) for dialogue in corpus.split("train")]
    rows = np.concatenate(train)
    if len(rows) < LEAST:
        return None
    centre = np.median(rows, axis=0)
    scale = _deviation(rows - centre, rows)
    centre, scale = _rounded(centre), _rounded(scale)
    count = min(MOST_AXES, rows.shape[1] // COLUMNS, len(rows) // ROWS)
    ones = np.ones(rows.shape[1])
    outer, _ = measures(rows, centre, scale, np.zeros((0, rows.shape[1])), ones)
    # The first right singular vectors; of thousands of columns and rows, this is faster than a decomposition of both.
    vectors = np.linalg.eigh(outer.T @ outer)[1].T[::-1]
    whole = np.round(vectors[:count] / FRACTION).astype(int)
    axes = FRACTION * whole
    residual = _rounded(_deviation(outer - outer @ axes.T @ axes, outer))
    splits = (*corpus.split("train"), *corpus.split("dev"))
    both = [measures(dialogue.features[stream], centre, scale, axes, residual) for dialogue in splits]
    return {
        "centre": centre.tolist(),
        "scale": scale.tolist(),
        "axes": whole.tolist(),
        "residual": residual.tolist(),
        "limits": {str(size): _limits(both, size) for size in SIZES},
    }


def same_range(first: dict[str, Any], second: dict[str, Any] | None, tolerance: float) -> bool:
    """Return whether two ranges are the same up to rounding; axes may point the other way."""
    if second is None or set(first["limits"]) != set(second["limits"]):
        return False
    pairs = [(first[key], second[key]) for key in ("centre", "scale", "residual")]
    pairs += [(limits, second["limits"][size]) for size, limits in first["limits"].items()]
    if any(len(one) != len(other) or not np.allclose(one, other, rtol=tolerance, atol=1e-6) for one, other in pairs):
        return False
    axes = [FRACTION * np.array(each["axes"], np.float64).reshape(-1, len(each["centre"])) for each in (first, second)]
    ours, theirs = (each.T @ each for each in axes)
    return len(axes[0]) == len(axes[1]) and np.allclose(ours, theirs, atol=tolerance)


def _deviation(values: NDArray[np.float64], original: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a robust deviation of each column around 0: of the median, or else of the squares; 1 if it is constant."""
    least = 1e-6 * np.maximum(np.abs(original).max(0), 1e-30)
    found = NORMAL * np.median(np.abs(values), axis=0)
    found = np.where(found > least, found, np.sqrt((values**2).mean(0)))
    return np.where(found > least, found, 1.0)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{value:.6g}") for value in values])


def _limits(dialogues: list[tuple[NDArray[np.float64], NDArray[np.float64]]], size: int) -> list[float]:
    """Return the limits of both statistics for recordings of ``size`` utterances; shorter dialogues count as whole."""
    found = []
    for outer, left in dialogues:
        for start in range(max(1, len(outer) - size + 1)):
            window = slice(start, start + size)
            found.append(statistics(*summary(outer[window], left[window])))
    deviations, outside = MARGIN * np.quantile(found, QUANTILE, axis=0)
    return [round(max(float(deviations), 0.1), 3), round(max(float(outside), SHARE * dialogues[0][0].shape[1]), 1)]
