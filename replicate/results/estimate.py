"""Estimates with intervals and p values from a crossed bootstrap over seeds and test dialogues.

``docs/statistics.md`` describes the method, and its table shows by simulation how often the intervals hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from replicate.results.resampling import Resampled

# Below this a variance is rounding.
_NOTHING = 1e-24


class Sampled(Protocol):
    """What a cell provides: its resampled scores, and what decides which cells are resampled as one."""

    @property
    def resampled(self) -> Resampled:
        """Scores under resampling."""

    @property
    def dialogues(self) -> tuple[str, ...]:
        """Ids of the test dialogues."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Keys of the runs."""

    @property
    def teachers(self) -> frozenset[str]:
        """Keys of all their teachers' runs."""


@dataclass(frozen=True)
class Component:
    """A variance of an estimate, due to seeds or to dialogues, and its degrees of freedom."""

    variance: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores, with what is known about its error.

    Attributes:
        mean: over seeds and folds.
        n: number of seeds. dialogues: number of test dialogues that are resampled, or of groups of dialogues that share
            a speaker where ``by_speaker``; 0 where they cannot be resampled.
        by_seeds: due to the seeds; None with one seed, which allows neither interval nor p value.
        by_dialogues: due to the dialogues; None where they cannot be resampled.
        interaction: variance that is part of both, because each seed errs on other dialogues.
    """

    mean: float
    n: int
    dialogues: int = 0
    by_seeds: Component | None = None
    by_dialogues: Component | None = None
    interaction: float = 0.0
    by_speaker: bool = False

    @property
    def variance(self) -> float | None:
        """Return the squared standard error; None with one seed."""
        if self.by_seeds is None:
            return None
        if self.by_dialogues is None:
            return self.by_seeds.variance
        both = self.by_seeds.variance, self.by_dialogues.variance
        return max(sum(both) - self.interaction, *both)

    @property
    def df(self) -> float:
        """Degrees of freedom of the variance (Welch 1947, Satterthwaite 1946)."""
        found = [each for each in (self.by_seeds, self.by_dialogues) if each is not None and each.variance > 0]
        total = self.variance or 0.0
        return total**2 / sum(each.variance**2 / each.df for each in found) if found and total > _NOTHING else math.inf

    def interval(self, level: float = 0.05) -> tuple[float, float] | None:
        """Return the interval with confidence 1 - ``level``; None with one seed."""
        if self.variance is None:
            return None
        half = critical(level, self.df) * math.sqrt(self.variance)
        return self.mean - half, self.mean + half

    @property
    def ci95(self) -> tuple[float, float] | None:
        """The 95 % interval."""
        return self.interval()

    def p(self, value: float = 0.0) -> float | None:
        """Return two-sided p for the hypothesis that the true value is ``value``; None with one seed.

        It is at or below a level where the interval of that level does not hold ``value``.
        """
        if self.variance is None:
            return None
        distance = abs(self.mean - value)
        if self.variance <= _NOTHING:
            return 1.0 if distance**2 <= _NOTHING else 0.0
        from scipy.stats import t

        return float(2 * t.sf(distance / math.sqrt(self.variance), self.df))


def critical(level: float, df: float) -> float:
    """Return the two-sided critical value of Student's t, or of the normal distribution with infinite ``df``."""
    from scipy.stats import norm, t

    return float(norm.isf(level / 2) if math.isinf(df) else t.isf(level / 2, df))


def estimate(cells: Sequence[tuple[Sampled, float]]) -> Estimate:
    """Return the sum of the cells' scores, each times its factor: 1 and -1 for a difference.

    Seeds are resampled as one within groups of cells that share runs (``share_runs``), and independently otherwise.
    Dialogues are resampled as one where they are the same.
    """
    value = float(sum(factor * cell.resampled.scores.mean() for cell, factor in cells))
    groups = _groups(cells)
    n = min(len(cell.resampled.scores) for cell, _ in cells)
    if n < 2:
        return Estimate(value, n)
    by_seeds = _added([_of_seeds(np.sum([f * cell.resampled.scores for cell, f in group], 0)) for group in groups])
    if not all(len(cell.resampled.draws) for cell, _ in cells):
        return Estimate(value, n, by_seeds=by_seeds)
    return Estimate(
        value,
        n,
        max(len(cell.resampled.stratum) for cell, _ in cells),
        by_seeds,
        _of_dialogues(cells),
        sum(map(_interaction, groups)),
        any(cell.resampled.by_speaker for cell, _ in cells),
    )


def share_runs(one: Sampled, other: Sampled) -> bool:
    """Return whether seeds of two cells are pairs: same runs, or one's are the other's teachers, or common teachers."""
    return not {*one.runs, *one.teachers}.isdisjoint({*other.runs, *other.teachers})


def _groups(cells: Sequence[tuple[Sampled, float]]) -> list[list[tuple[Sampled, float]]]:
    """Return connected groups of cells that share runs."""
    groups: list[list[tuple[Sampled, float]]] = []
    for each in cells:
        own = [group for group in groups if any(share_runs(each[0], cell) for cell, _ in group)]
        groups = [group for group in groups if group not in own]
        groups.append([*(each for group in own for each in group), each])
    return groups


def _of_seeds(scores: NDArray[np.float64]) -> Component:
    """Return the variance of a mean over seeds. The mean is linear in them, so no seed has to be drawn."""
    return Component(float(scores.var(ddof=1)) / len(scores), len(scores) - 1)


def _of_dialogues(cells: Sequence[tuple[Sampled, float]]) -> Component:
    """Return the variance over resampled dialogues; cells with other dialogues add theirs as if independent."""
    found = []
    for dialogues in dict.fromkeys(cell.dialogues for cell, _ in cells):
        own = [(cell.resampled, factor) for cell, factor in cells if cell.dialogues == dialogues]
        draws = sum(factor * each.draws.mean(1) for each, factor in own)
        value = sum(factor * each.scores.mean() for each, factor in own)
        influence = np.sum([factor * each.influence.mean(0) for each, factor in own], 0)
        # About the estimate, not about the mean of the draws: a biased score has a wider interval.
        variance = float(np.mean((draws - value) ** 2))
        found.append(Component(variance, _dialogue_df(influence, own[0][0].stratum)))
    return _added(found)


def _dialogue_df(influence: NDArray[np.float64], stratum: NDArray[np.int64]) -> float:
    """Return degrees of freedom of a variance over dialogues: twice its square over its own variance.

    Few dialogues with much influence, such as long ones, make the variance less certain: its own variance grows with
    their excess kurtosis.
    """
    total, uncertainty, largest = 0.0, 0.0, 0
    for number in np.unique(stratum):
        own = influence[stratum == number]
        n = len(own)
        variance = float(own.var(ddof=1)) / n
        total += variance
        uncertainty += variance**2 * (2 / (n - 1) + max(0.0, _excess_kurtosis(own)) / n)
        largest += n - 1
    return min(max(2 * total**2 / uncertainty, 1.0), largest) if uncertainty > 0 else float(largest)


def _excess_kurtosis(values: NDArray[np.float64]) -> float:
    """Return the excess kurtosis without its small-sample bias (Joanes and Gill 1998, G2); 0 with fewer than 4."""
    n, centred = len(values), values - values.mean()
    second = float((centred**2).mean())
    if n < 4 or second**2 <= 0:
        return 0.0
    plain = float((centred**4).mean()) / second**2 - 3
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * plain + 6)


def _interaction(group: Sequence[tuple[Sampled, float]]) -> float:
    """Return the variance that seeds and dialogues have in common: that of seeds around their mean, over dialogues."""
    draws = np.sum([factor * cell.resampled.draws for cell, factor in group], 0)
    seeds = draws.shape[1]
    around = (draws - draws.mean(1, keepdims=True)).var(0, ddof=1).sum() / (seeds - 1)
    return float(around) / seeds


def _added(components: Sequence[Component]) -> Component:
    """Return the sum of independent variances, with degrees of freedom after Welch and Satterthwaite."""
    total = sum(each.variance for each in components)
    uncertainty = sum(each.variance**2 / each.df for each in components)
    return Component(total, total**2 / uncertainty if uncertainty > 0 else sum(each.df for each in components))
