"""Statistics over seeds: means with intervals, paired tests, and the verdict on a published number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from replicate.rng import derived_seed

Alternative = Literal["two-sided", "greater", "less"]
Values = Sequence[float] | NDArray[np.float64]
RESAMPLES = 9_999


@dataclass(frozen=True)
class Summary:
    """Mean and deviation of n values.

    Attributes:
        std: sample deviation (ddof 1); None with one value, never 0.
        ci95: bootstrap interval of the mean (percentile, 9,999 resamples, fixed seed); None with one value.
    """

    mean: float
    std: float | None
    n: int
    ci95: tuple[float, float] | None


def summarise(values: Values) -> Summary:
    """Return mean, deviation and interval of one or more values."""
    array = np.asarray(values, np.float64)
    if len(array) < 2:
        return Summary(float(array.mean()), None, len(array), None)
    if np.ptp(array) == 0:  # scipy warns about resampling equal values
        return Summary(float(array[0]), 0.0, len(array), (float(array[0]), float(array[0])))
    from scipy.stats import bootstrap

    interval = bootstrap(
        (array,),
        np.mean,
        confidence_level=0.95,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(derived_seed(0, "bootstrap")),
    ).confidence_interval
    return Summary(
        float(array.mean()), float(array.std(ddof=1)), len(array), (float(interval.low), float(interval.high))
    )


def permutation_p(differences: Values, alternative: Alternative = "two-sided") -> float | None:
    """Return p of a paired permutation test on the mean of ``differences``, which flips their signs.

    The test is exact up to 13 pairs (2^n sign patterns); with more it draws 9,999 patterns with a fixed seed. None with
    fewer than two pairs: one pair cannot give a p below 1/2.
    """
    array = np.asarray(differences, np.float64)
    if len(array) < 2:
        return None
    from scipy.stats import permutation_test

    found = permutation_test(
        (array,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        alternative=alternative,
        rng=np.random.default_rng(derived_seed(0, "permutation")),
    )
    return float(found.pvalue)


def smallest_p(pairs: int) -> float:
    """Return the smallest one-sided p that ``permutation_p`` can give; the smallest two-sided p is twice as large."""
    return max(0.5**pairs, 1 / (RESAMPLES + 1))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected for their number (Holm 1979); None stays None and does not count."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted


def paired(first: Sequence[float], second: Sequence[float]) -> NDArray[np.float64]:
    """Return first - second, seed by seed."""
    return np.asarray(first, np.float64) - np.asarray(second, np.float64)


def verdict(summary: Summary, published: float | None, comparable: bool) -> str | None:
    """Return whether the published value is ``inside`` or ``outside`` mean ± 2 std; ``untestable`` with one seed.

    A mean far above the published value is ``outside``, too. None if nothing was published, or if it was published for
    another corpus (``comparable`` is False).
    """
    if published is None or not comparable:
        return None
    if summary.std is None:
        return "untestable"
    return "inside" if abs(published - summary.mean) <= 2 * summary.std else "outside"
