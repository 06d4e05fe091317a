"""How far a mean may be from an expected one: the prediction interval of a mean over other seeds (not in the paper)."""

from __future__ import annotations

import math

from replicate.results.estimate import critical

LEVEL = 0.05
# Tables print three decimals: numbers that are printed alike are never told apart, and a baseline has no seeds.
ROUNDING = 0.5 * 10**-3


def tolerance(deviation: float | None, seeds: int, others: int | None = None) -> float | None:
    """Return the half width of the 95 % prediction interval of a mean over other seeds.

    It is t · s · sqrt(1 / n + 1 / m) with the deviation s of n seeds, m other seeds, and the critical value t of
    Student's distribution with n - 1 degrees of freedom; at least half of the last printed decimal.

    Args:
        deviation: over the expected seeds (ddof 1), in which a seed is the mean over its folds. None with one seed.
        seeds: n; 0 for a baseline, which does not depend on seeds. others: m; as many as n by default.

    Returns:
        None with one seed, which tells nothing about others.
    """
    if seeds == 0:
        return ROUNDING
    if deviation is None or seeds < 2 or others == 0:
        return None
    other = seeds if others is None else others
    return max(ROUNDING, critical(LEVEL, seeds - 1) * deviation * math.sqrt(1 / seeds + 1 / other))
