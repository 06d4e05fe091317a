import warnings

import numpy as np
import pytest

from replicate.training.metrics import f1_by_class, weighted_f1


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


def test_f1_of_every_class_by_hand():
    found = f1_by_class([0, 0, 0, 1, 1, 2], scores([0, 0, 1, 1, 2, 2], 4))
    # The fourth class is neither there nor predicted.
    assert found == pytest.approx((0.8, 0.5, 2 / 3, 0)) and all(type(value) is float for value in found)


def test_the_weighted_mean_of_the_classes_is_the_metric():
    labels, predicted = [0, 0, 1, 2, 2, 2, 1], scores([0, 1, 1, 2, 0, 2, 2], 3)
    by_class = f1_by_class(labels, predicted)
    assert weighted_f1(labels, predicted) == pytest.approx(np.average(by_class, weights=np.bincount(labels)))


def test_an_absent_class_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f1_by_class([0, 0], scores([0, 0], 3)) == (1, 0, 0)
