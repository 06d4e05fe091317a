"""The tolerance is a prediction interval: a mean over other seeds lies inside as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from replicate.expected.tolerance import ROUNDING, tolerance


def test_it_is_the_formula_with_two_seeds():
    assert tolerance(0.1, 2) == pytest.approx(float(stats.t.ppf(0.975, 1)) * 0.1 * 1.0)


@pytest.mark.parametrize("n, m", [(10, 10), (5, 2)])
def test_other_means_lie_inside_in_95_of_100(n, m):
    rng = np.random.default_rng(0)
    first, other = rng.normal(0.6, 0.1, (4000, n)), rng.normal(0.6, 0.1, (4000, m))
    inside = [
        abs(a.mean() - b.mean()) <= (tolerance(float(a.std(ddof=1)), n, m) or 0)
        for a, b in zip(first, other, strict=True)
    ]
    # Four standard errors of a share of 4000.
    assert np.mean(inside) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 4000))


def test_numbers_that_are_printed_alike_are_inside_and_one_seed_tells_nothing():
    assert tolerance(None, 0) == tolerance(0.0, 3) == ROUNDING
    assert tolerance(None, 1) is None and tolerance(0.1, 5, 0) is None
