import warnings

import numpy as np
import pytest

from replicate.training.metrics import weighted_f1


def scores(predicted, classes):
    """Log-probabilities whose largest is the prediction."""
    return np.log(np.eye(classes)[predicted] * 0.8 + 0.1)


def test_a_case_by_hand():
    # F1: class 0 is 2 * 1 * (2/3) / (1 + 2/3) = 0.8, class 1 is 0.5, class 2 is 2 * 0.5 * 1 / 1.5 = 2/3.
    value = weighted_f1([0, 0, 0, 1, 1, 2], scores([0, 0, 1, 1, 2, 2], 3))
    assert value == pytest.approx((3 * 0.8 + 2 * 0.5 + 1 * 2 / 3) / 6)


@pytest.mark.parametrize(
    ("labels", "predicted", "expected"),
    [
        ([0, 1], [0, 0], 1 / 3),  # class 1 is never predicted: 0, class 0 is 2/3
        ([0, 0], [1, 1], 0),
        ([0, 0], [0, 0], 1),
        ([0, 0, 0, 0], [0, 0, 0, 2], 6 / 7),  # a class that no label has weighs nothing
    ],
)
def test_what_is_never_predicted_scores_zero_without_a_warning(labels, predicted, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert weighted_f1(labels, scores(predicted, 3)) == pytest.approx(expected)
