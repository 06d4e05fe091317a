"""Spread of a cell over its seeds, and what it says about a published number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replicate.rng import derived_seed


@dataclass(frozen=True)
class Summary:
    """Mean and spread of n values.

    Attributes:
        std: sample deviation (ddof 1); None with one value, never 0.
        ci95: bootstrap interval of the mean (percentile, 9,999 resamples, fixed seed); None with one value.
    """

    mean: float
    std: float | None
    n: int
    ci95: tuple[float, float] | None


def summarise(values: Sequence[float]) -> Summary:
    """Mean, deviation and interval of at least one value."""
    array = np.asarray(values, np.float64)
    if len(array) < 2:
        return Summary(float(array.mean()), None, len(array), None)
    from scipy.stats import bootstrap

    interval = bootstrap(
        (array,),
        np.mean,
        confidence_level=0.95,
        method="percentile",
        rng=np.random.default_rng(derived_seed(0, "bootstrap")),
    ).confidence_interval
    return Summary(
        float(array.mean()), float(array.std(ddof=1)), len(array), (float(interval.low), float(interval.high))
    )


def verdict(summary: Summary, published: float | None, comparable: bool) -> str | None:
    """``inside`` or ``outside`` mean ± 2 std, ``untestable`` with one seed; higher than published is no pass.

    None where nothing was published, or where it was published for another corpus than the one measured on.
    """
    if published is None or not comparable:
        return None
    if summary.std is None:
        return "untestable"
    return "inside" if abs(published - summary.mean) <= 2 * summary.std else "outside"
