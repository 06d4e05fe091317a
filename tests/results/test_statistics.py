import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from replicate.results.statistics import Summary, holm, largest_p, summarise, verdict


def test_mean_deviation_and_interval_by_hand():
    found = summarise([0.6, 0.7, 0.5])
    assert (found.mean, found.n) == (pytest.approx(0.6), 3)
    assert found.std == pytest.approx(0.1)  # sqrt((0 + 0.01 + 0.01) / 2)
    # 4.303 is the quantile of t with 2 degrees of freedom.
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert found.ci95 == pytest.approx((0.6 - half, 0.6 + half))


def test_one_value_has_no_deviation():
    assert summarise([0.6]) == Summary(0.6, None, 1, None)


def test_equal_values_have_a_deviation_of_zero():
    found = summarise([0.1, 0.1, 0.1])
    assert (found.mean, found.std) == (pytest.approx(0.1), 0.0) and found.ci95 == (found.mean, found.mean)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=10, unique=True))
def test_the_interval_is_that_of_the_t_test(values):
    found = summarise(values)
    assert found.ci95 == pytest.approx(tuple(ttest_1samp(values, 0).confidence_interval()), abs=1e-9)


# With 5 runs: 2.776 * 0.1 * sqrt(1 + 1/5) = 0.304.
@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (0.6, "inside"),
        (0.9, "inside"),
        (0.3, "inside"),
        (0.29, "outside"),
        (0.91, "outside"),  # a published value below the measured one is no pass either
        (None, None),
    ],
)
def test_the_verdict_is_a_prediction_interval(published, expected):
    assert verdict(Summary(0.6, 0.1, 5, (0.5, 0.7)), published, None, True) == expected


@pytest.mark.parametrize(("std", "half"), [(0.0, 0.124), (0.05, 0.186), (0.2, 0.569)])
def test_a_published_deviation_takes_the_place_of_ours(std, half):
    assert half == pytest.approx(t.isf(0.025, 4) * math.sqrt(0.1**2 / 5 + std**2), abs=1e-3)
    inside, outside = (verdict(Summary(0.5, 0.1, 5, None), 0.5 + half + off, std, True) for off in (-2e-3, 2e-3))
    assert (inside, outside) == ("inside", "outside")


def test_one_seed_is_untestable_even_if_it_equals_the_published_value():
    assert verdict(summarise([0.6]), 0.6, 0.1, True) == "untestable"


@pytest.mark.parametrize("summary", [Summary(0.6, 0.1, 5, (0.5, 0.7)), summarise([0.6])])
def test_another_corpus_gives_no_verdict(summary):
    assert verdict(summary, 0.6, None, False) is None


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        # Smallest first: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04, which may not be below the one before.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([0.02, None, 0.03], [0.04, None, 0.04]),
        ([None, None], [None, None]),
        ([0.01, 0.01, 0.01], [0.03, 0.03, 0.03]),
        ([], []),
    ],
)
def test_holm(raw, adjusted):
    found = holm(raw)
    assert [p is None for p in found] == [p is None for p in adjusted]
    assert [p for p in found if p is not None] == pytest.approx([p for p in adjusted if p is not None])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), max_size=9), st.randoms())
def test_holm_keeps_the_order_and_never_lowers(raw, random):
    found = holm(raw)
    assert [p is None for p in found] == [p is None for p in raw]
    pairs = sorted((p, q) for p, q in zip(raw, found, strict=True) if p is not None)
    assert all(p <= q <= 1 for p, q in pairs)
    assert [q for _, q in pairs] == sorted(q for _, q in pairs)
    if pairs:
        assert pairs[0][1] == min(1, pairs[0][0] * len(pairs))
    # Whatever is not tested does not count, and the order of the table does not matter.
    order = list(range(len(raw)))
    random.shuffle(order)
    assert holm([raw[i] for i in order]) == [found[i] for i in order]
    assert [q for q in found if q is not None] == holm([p for p in raw if p is not None])


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 0.05),
        # Nothing else is significant, so this one has to be the smallest of three.
        ([0.5, 0.9], 0.05 / 3),
        # The first of the others passes, so two are left.
        ([0.001, 0.9], 0.05 / 2),
        ([0.001, 0.01], 0.05),
        ([0.001, None, 0.04], 0.05 / 2),
        # 0.03 is too large for the first place, and so it is for all that follow.
        ([0.03, 0.03], 0.05 / 3),
    ],
)
def test_the_largest_p_that_is_significant_next_to_others(others, expected):
    assert largest_p(others, 0.05) == pytest.approx(expected)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), max_size=9), st.floats(0.01, 0.2))
def test_the_largest_p_is_where_holm_begins_to_object(others, level):
    p = largest_p(others, level)
    assert holm([p * (1 - 1e-9), *others])[0] <= level
    assert p == level or holm([p * (1 + 1e-6), *others])[0] > level
