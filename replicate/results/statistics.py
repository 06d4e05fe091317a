"""Means over seeds, Holm's correction, and the verdict on a published number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replicate.results.estimate import critical

Values = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Mean and deviation of n values.

    Attributes:
        std: sample deviation (ddof 1); None with one value, never 0.
        ci95: 95 % interval of the mean; None with one value.
    """

    mean: float
    std: float | None
    n: int
    ci95: tuple[float, float] | None


def summarise(values: Values) -> Summary:
    """Return mean, deviation and interval of one or more values, by Student's t."""
    array = np.asarray(values, np.float64)
    mean, n = float(array.mean()), len(array)
    if n < 2:
        return Summary(mean, None, n, None)
    std = float(array.std(ddof=1)) if np.ptp(array) else 0.0
    half = critical(0.05, n - 1) * std / math.sqrt(n)
    return Summary(mean, std, n, (mean - half, mean + half))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values corrected for their number (Holm 1979); None stays None and does not count."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted


def largest_p(others: Sequence[float | None], level: float) -> float:
    """Return up to which p one more comparison is significant at ``level`` after Holm's correction with ``others``."""
    known = sorted(p for p in others if p is not None)
    left = len(known) + 1
    for p in known:
        if p * left > level:
            break
        left -= 1
    return level / left


def verdict(summary: Summary, published: float | None, published_std: float | None, comparable: bool) -> str | None:
    """Return whether the published value is ``inside`` or ``outside`` the 95 % prediction interval of another run.

    The interval is mean ± t · sqrt(s² / n + p²), t with n - 1 degrees of freedom. p is the published deviation, and s
    where there is none. No number of runs is published, so the published value counts as one run. A mean far above it
    is ``outside``, too. With one seed the verdict is ``untestable``; it is None if nothing was published, or if it was
    published for another corpus (``comparable`` is False).
    """
    if published is None or not comparable:
        return None
    if summary.std is None:
        return "untestable"
    other = summary.std if published_std is None else published_std
    half = critical(0.05, summary.n - 1) * math.sqrt(summary.std**2 / summary.n + other**2)
    return "inside" if abs(published - summary.mean) <= half else "outside"
