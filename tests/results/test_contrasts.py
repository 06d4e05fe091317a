import numpy as np
import pytest

from replicate.config.claims import Statement
from replicate.metrics import BINS
from replicate.results.cell import Cell
from replicate.results.contrasts import by_class, compare
from replicate.results.estimate import Component, Estimate
from replicate.results.sizes import Needed

LABELS = ("happy", "sad", "neutral")
EVEN = Statement("t/a/A", "evenly above", "t/b/A")
SAD = Statement("t/a/A", "least certain of", emotion="sad")


def confused(counts, name, seeds=3, dialogues=4):
    """A cell in which every seed and dialogue has these confusion counts."""
    flat = np.concatenate([np.array(counts, np.float64).ravel(), np.zeros(3 * BINS)])
    statistics = np.broadcast_to(flat, (seeds, dialogues, len(flat))).copy()
    names = tuple(f"d{i}" for i in range(dialogues))
    return Cell(statistics, np.zeros(dialogues, np.int64), names, LABELS, tuple(f"{name}{i}" for i in range(seeds)))


def certain(mean, variance=1e-4, n=10):
    """An estimate with 9 degrees of freedom."""
    return Estimate(mean, n, by_seeds=Component(variance, n - 1))


# F1 is 2/3, 4/7 and 0.8; recall 1/2, 1 and 2/3.
FIRST = confused([[2, 2, 0], [0, 2, 0], [0, 1, 2]], "a")
# All right: F1 and recall are 1.
SECOND = confused([[4, 0, 0], [0, 2, 0], [0, 0, 3]], "b")


def test_gains_are_compared_with_the_mean_gain():
    found = by_class(EVEN, [(SECOND, 1), (FIRST, -1)])
    gains = np.array([1 / 3, 3 / 7, 0.2])
    assert list(found) == list(LABELS)
    assert [each.mean for each in found.values()] == pytest.approx(gains - gains.mean())


def test_recall_of_an_emotion_is_compared_with_every_other():
    found = by_class(SAD, [(FIRST, 1)])
    assert {name: each.mean for name, each in found.items()} == pytest.approx({"happy": 1 / 2, "neutral": 1 / 3})
    assert by_class(Statement("t/a/A", "least certain of", emotion="calm"), [(FIRST, 1)]) == {}


@pytest.mark.parametrize(
    ("relation", "mean", "margin", "holds", "at"),
    [
        ("above", 0.1, 0.0, True, 0.0),
        ("above", -0.1, 0.0, False, 0.0),
        ("far above", 0.1, 0.2, False, 0.2),
        ("within", 0.01, 0.03, True, 0.03),
        ("within", -0.01, 0.03, True, -0.03),
        ("within", 0.1, 0.03, False, 0.03),
        ("within", -0.1, 0.03, False, -0.03),
    ],
)
def test_p_is_that_of_the_nearest_margin(relation, mean, margin, holds, at):
    found = compare(relation, {"": certain(mean)}, margin)
    assert (found.holds, found.p, found.ci95) == (holds, certain(mean).p(at), certain(mean).ci95)


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.029])
def test_equivalence_is_shown_where_the_interval_is_within_the_margins(mean):
    for variance in (1e-6, 1e-5, 1e-4, 1e-3):
        found = compare("within", {"": certain(mean, variance)}, 0.03)
        low, high = found.ci95
        assert (found.p <= 0.05) is (low > -0.03 and high < 0.03)


def test_every_class_has_to_be_below_the_margin():
    contrasts = {"happy": certain(0.02), "sad": certain(-0.1), "neutral": certain(0.08)}
    found = compare("evenly above", contrasts, 0.1)
    assert (found.holds, found.emotion) == (True, "neutral")
    assert found.p == max(each.p(0.1) for each in contrasts.values()) == contrasts["neutral"].p(0.1)


def test_one_class_above_the_margin_is_enough_to_fail():
    contrasts = {"happy": certain(0.02), "sad": certain(-0.1), "neutral": certain(0.18)}
    found = compare("evenly above", contrasts, 0.1)
    assert (found.holds, found.emotion) == (False, "neutral")
    assert found.p == pytest.approx(3 * contrasts["neutral"].p(0.1))


@pytest.mark.parametrize("largest", [-0.05, 0.0, 0.05, 0.09, 0.1, 0.11, 0.13, 0.2])
def test_the_interval_of_the_largest_class_excludes_the_margin_where_p_is_small(largest):
    contrasts = {"happy": certain(largest - 0.3), "sad": certain(largest), "neutral": certain(largest - 0.01, 4e-4)}
    found = compare("least certain of", contrasts, 0.1)
    low, high = found.ci95
    assert (found.p <= 0.05) is (high < 0.1 if found.holds else low > 0.1)
    assert low <= largest <= high


def test_one_seed_has_no_p():
    contrasts = {"happy": Estimate(0.2, 1), "neutral": Estimate(0.0, 1)}
    for margin in (0.1, 0.3):
        found = compare("evenly above", contrasts, margin)
        assert (found.p, found.ci95, found.needed(0.05)) == (None, None, Needed(2))


def test_all_classes_that_are_still_open_decide_what_is_needed():
    contrasts = {"happy": certain(0.0, 4e-3), "sad": certain(0.05, 4e-3)}
    found = compare("evenly above", contrasts, 0.1)
    alone = compare("evenly above", {"sad": certain(0.05, 4e-3)}, 0.1)
    assert found.needed(0.05) == alone.needed(0.05) and found.needed(0.05).seeds > 10
    assert compare("evenly above", {"happy": certain(0.1)}, 0.1).needed(0.05) == Needed()
