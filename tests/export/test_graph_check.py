"""What a model gives is only used if it is probabilities."""

import numpy as np
import pytest

from export.graph_check import check_probabilities


def test_probabilities_are_accepted_up_to_rounding():
    rows = np.random.default_rng(0).dirichlet([1, 1, 1], 50).astype(np.float32)
    check_probabilities(rows, (50, 3))
    check_probabilities(rows * np.float32(1 + 1e-5), (50, 3))
    check_probabilities(np.zeros((0, 3), np.float32), (0, 3))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([[0.5, np.nan]], "not finite"),
        ([[np.inf, 0.0]], "not finite"),
        ([[np.inf, -np.inf]], "not finite"),
        ([[1.5, -0.5]], "-0.5, below 0"),
        ([[0.5, 0.5], [0.2, 0.2]], "sum to 0.4 "),
        ([[1.0, 1.0]], "sum to 2 "),
        ([[-0.7, -0.7]], "below 0"),  # logarithms
        ([[1.0]], r"shape \(1, 1\), not \(1, 2\)"),
    ],
)
def test_other_numbers_are_refused(found, words):
    array = np.array(found, np.float32)
    with pytest.raises(ValueError, match=words):
        check_probabilities(array, (len(array), 2))


def test_numbers_of_another_type_are_refused():
    with pytest.raises(ValueError, match="type int64"):
        check_probabilities(np.array([[1, 0]]), (1, 2))
