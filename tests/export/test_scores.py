from __future__ import annotations

import numpy as np
import pytest

from export.scores import weighted_f1
from replicate.training import metrics


def test_weighted_f1_is_that_of_scikit_learn() -> None:
    draws = np.random.default_rng(0)
    for classes in (2, 4):
        labels, found = draws.integers(classes, size=50), draws.random((50, classes))
        expected = metrics.weighted_f1(labels, found)
        for scores in (found, np.log(found)):
            assert weighted_f1(labels, scores, [str(i) for i in range(classes)]) == pytest.approx(expected, abs=1e-12)
