import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.results.statistics import Summary, holm, paired, permutation_p, smallest_p, summarise, verdict


def test_mean_and_sample_deviation_by_hand():
    found = summarise([0.6, 0.7, 0.5])
    assert found.mean == pytest.approx(0.6)
    assert found.std == pytest.approx(0.1)  # sqrt((0 + 0.01 + 0.01) / 2)
    assert found.n == 3
    # One resample of 27 (3.7 % > 2.5 %) is the smallest value three times, one the largest.
    assert found.ci95 == pytest.approx((0.5, 0.7), abs=1e-9)


def test_one_value_has_no_deviation():
    assert summarise([0.6]) == Summary(0.6, None, 1, None)


def test_equal_values_have_a_deviation_of_zero():
    found = summarise([0.5, 0.5, 0.5])
    assert (found.mean, found.std, found.ci95) == (0.5, 0.0, (0.5, 0.5))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=10))
def test_the_interval_holds_the_mean_and_is_reproducible(values):
    found = summarise(values)
    low, high = found.ci95
    assert min(values) - 1e-12 <= low <= found.mean + 1e-12 and found.mean - 1e-12 <= high <= max(values) + 1e-12
    assert summarise(values) == found


def test_the_interval_of_two_values_is_the_values():
    # A quarter of the resamples is each value twice.
    assert summarise([0.4, 0.6]).ci95 == pytest.approx((0.4, 0.6))


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (0.6, "inside"),
        (0.799, "inside"),
        (0.401, "inside"),
        (0.399, "outside"),
        (0.801, "outside"),
        (0.3, "outside"),  # measured higher than published is no pass
        (None, None),
    ],
)
def test_verdict_is_mean_plus_minus_two_deviations(published, expected):
    assert verdict(Summary(0.6, 0.1, 5, (0.5, 0.7)), published, True) == expected


def test_one_seed_is_untestable_even_if_it_equals_the_published_value():
    assert verdict(summarise([0.6]), 0.6, True) == "untestable"


@pytest.mark.parametrize("summary", [Summary(0.6, 0.1, 5, (0.5, 0.7)), summarise([0.6])])
def test_another_corpus_gives_no_verdict(summary):
    assert verdict(summary, 0.6, False) is None


@pytest.mark.parametrize(
    ("differences", "greater", "less", "two_sided"),
    [
        # Of the sign patterns, one gives as much: the observed one.
        ([0.1, 0.2], 1 / 4, 1, 1 / 2),
        ([0.1, 0.2, 0.3], 1 / 8, 1, 2 / 8),
        ([-0.1, -0.2, -0.3], 1, 1 / 8, 2 / 8),
        ([0.02, 0.01, 0.04, 0.03, 0.02], 1 / 32, 1, 2 / 32),
        # The sum is 0 or more in 3 of 4 patterns, and 0 or less in 3.
        ([0.5, -0.5], 3 / 4, 3 / 4, 1),
        # 0.75: only all three up (1.25), and the observed one.
        ([0.5, -0.25, 0.5], 2 / 8, 7 / 8, 4 / 8),
        # What is 0 has no sign.
        ([0.0, 0.0, 0.0, 0.0], 1, 1, 1),
        ([0.25, 0.0], 2 / 4, 1, 1),
    ],
)
def test_the_permutation_test_by_hand(differences, greater, less, two_sided):
    assert permutation_p(differences, "greater") == greater
    assert permutation_p(differences, "less") == less
    assert permutation_p(differences) == two_sided


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-16, 16), min_size=2, max_size=8))
def test_the_permutation_test_counts_all_sign_patterns(eighths):
    differences = np.array(eighths) / 8
    means = [np.mean(differences * signs) for signs in itertools.product((-1, 1), repeat=len(differences))]
    greater = np.mean([mean >= differences.mean() for mean in means])
    less = np.mean([mean <= differences.mean() for mean in means])
    assert permutation_p(differences, "greater") == pytest.approx(greater)
    assert permutation_p(differences, "less") == pytest.approx(less)
    assert permutation_p(differences) == pytest.approx(min(1, 2 * min(greater, less)))
    assert permutation_p(-differences, "less") == permutation_p(differences, "greater")


@pytest.mark.parametrize("n", [2, 5, 13])
def test_the_smallest_p_of_n_pairs(n):
    values = np.linspace(0.1, 0.2, n)
    assert permutation_p(values, "greater") == 2**-n == smallest_p(n)
    assert permutation_p(values) == 2 * 2**-n
    assert permutation_p(np.full(n, 0.1), "greater") == 2**-n


def test_more_than_13_pairs_are_sampled_the_same_way_every_time():
    values = np.random.default_rng(0).normal(0.3, 1, 14)
    signs = np.array(list(itertools.product((-1, 1), repeat=14)))
    found = permutation_p(values, "greater")
    assert found == pytest.approx(np.mean(signs @ values >= values.sum()), abs=0.02)
    assert permutation_p(values, "greater") == found
    # Never 0: what was observed is one of the patterns.
    assert smallest_p(20) == 1e-4 <= permutation_p(np.linspace(0.1, 0.2, 20), "greater") <= 2e-4


def test_one_pair_has_no_p():
    assert smallest_p(1) == 1 / 2
    assert permutation_p([0.3]) is None and permutation_p([0.3], "greater") is None and permutation_p([]) is None


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


def test_pairs_are_seed_by_seed():
    assert paired([0.5, 0.75], [0.25, 1.0]).tolist() == [0.25, -0.25]
