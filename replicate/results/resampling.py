"""Scores of one cell under resampling of its test dialogues; ``estimate`` makes intervals and p values of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from replicate.rng import derived_seed

# Summed statistics (..., K) to scores (...).
Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]
RESAMPLES = 1_999
# With fewer degrees of freedom it is hardly known how much speakers differ. Simulated with 5: docs/statistics.md.
LEAST_DF = 4


@dataclass(frozen=True, eq=False)
class Resampled:
    """Scores of one cell.

    What is resampled are test dialogues, within their folds, or groups of them that share a speaker, see ``grouped``.
    Where each of several folds tests on one dialogue, folds are resampled instead. A single test dialogue, or folds of
    which only some have one, cannot be resampled.

    Attributes:
        scores: of each seed, the mean over folds.
        draws: the same with resampled dialogues.
        influence: how much the score of a seed changes with one dialogue more of a kind, times their number.
        stratum: within which of them each dialogue is resampled.
        by_speaker: whether it is groups of dialogues that are resampled.

    Shapes:
        scores: (seeds,); draws: (resamples, seeds), and (0, seeds) where nothing can be resampled; influence: (seeds,
        units) and stratum: (units,), where units are what is resampled.
    """

    scores: NDArray[np.float64]
    draws: NDArray[np.float64]
    influence: NDArray[np.float64]
    stratum: NDArray[np.int64]
    by_speaker: bool = False


def grouped(
    statistics: NDArray[np.float64], fold: NDArray[np.int64], groups: NDArray[np.int64], same_dialogues: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return the statistics of groups of dialogues that share a speaker, and their folds, to be resampled as dialogues.

    Dialogues of one speaker are not independent, so resampling them one by one tells how a score changes with other
    dialogues of the same speakers, which is too little for other speakers. None where there are too few groups
    (``LEAST_DF``), as in a test split of one session, or where every dialogue is a group of its own.

    Shapes:
        statistics: (seeds, dialogues, K); fold, groups: (dialogues,), numbers. Returns (seeds, groups, K), (groups,).
    """
    pairs, place = np.unique(np.stack([fold, groups], 1), axis=0, return_inverse=True)
    folds = len(np.unique(fold))
    df = len(pairs) // folds - 1 if same_dialogues else len(pairs) - folds
    sizes = np.unique(pairs[:, 0], return_counts=True)[1]
    if len(pairs) == len(fold) or df < LEAST_DF or sizes.min() < 2:
        return None
    return np.eye(len(pairs))[place.ravel()].T @ statistics, pairs[:, 0]


def resample(
    statistics: NDArray[np.float64],
    fold: NDArray[np.int64],
    score: Score,
    resamples: int = RESAMPLES,
    same_dialogues: bool = False,
) -> Resampled:
    """Return the scores of a cell and of its resampled dialogues.

    From the n dialogues of a fold n - 1 are drawn with replacement, which gives the variance of their mean without bias
    (Rao and Wu 1988); n draws would give (n - 1) / n of it, too little with 12 dialogues. Cells of the same dialogues
    get the same draws.

    Args:
        same_dialogues: whether all folds test on the same dialogues, in the same order (only dev differs). They are
            then resampled once for all folds, because a dialogue that is hard in one fold is hard in the others.

    Shapes:
        statistics: (seeds, dialogues, K), additive over dialogues; fold: (dialogues,).
    """
    folds, sizes = np.unique(fold, return_counts=True)
    by_fold = [statistics[:, fold == number] for number in folds]
    scores = np.stack([score(each.sum(1)) for each in by_fold], 1)
    seeds = len(statistics)
    if len(folds) > 1 and sizes.max() == 1 and not same_dialogues:
        weights = draw_weights((len(folds),), resamples)[0]
        influence = scores - scores.mean(1, keepdims=True)
        return Resampled(scores.mean(1), weights @ scores.T / len(folds), influence, np.zeros(len(folds), np.int64))
    if sizes.min() < 2:
        return Resampled(scores.mean(1), np.zeros((0, seeds)), np.zeros((seeds, 0)), np.zeros(0, np.int64))
    draws = np.zeros((resamples, seeds))
    influence = []
    drawn = draw_weights(tuple(sizes.tolist()[:1] if same_dialogues else sizes.tolist()), resamples)
    for each, weights, own in zip(by_fold, drawn * (len(folds) if same_dialogues else 1), scores.T, strict=True):
        n, width = each.shape[1:]
        sums = weights @ each.transpose(1, 0, 2).reshape(n, seeds * width)
        draws += score(sums.reshape(resamples, seeds, width))
        without = score(each.sum(1, keepdims=True) - each)
        influence.append((n - 1) * (own[:, None] - without) / len(folds))
    if same_dialogues:
        return Resampled(scores.mean(1), draws / len(folds), np.sum(influence, 0), np.zeros(sizes[0], np.int64))
    return Resampled(scores.mean(1), draws / len(folds), np.concatenate(influence, 1), np.repeat(folds, sizes))


@lru_cache(maxsize=8)
def draw_weights(sizes: tuple[int, ...], resamples: int) -> list[NDArray[np.float64]]:
    """Return how often each dialogue is drawn, fold by fold, with a mean of 1; the same in every call.

    Shapes:
        each: (resamples, size of the fold).
    """
    generator = np.random.default_rng(derived_seed(0, "dialogues"))
    drawn = [generator.multinomial(n - 1, np.full(n, 1 / n), resamples) for n in sizes]
    return [np.asarray(each * (n / (n - 1)), np.float64) for each, n in zip(drawn, sizes, strict=True)]
