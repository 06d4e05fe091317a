import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.experiment.statistics import Summary, summarise, verdict


def test_mean_and_sample_deviation_by_hand():
    found = summarise([0.6, 0.7, 0.5])
    assert found.mean == pytest.approx(0.6)
    assert found.std == pytest.approx(0.1)  # sqrt((0 + 0.01 + 0.01) / 2)
    assert found.n == 3
    # One resample of 27 (3.7 % > 2.5 %) is the smallest value three times, one the largest.
    assert found.ci95 == pytest.approx((0.5, 0.7), abs=1e-9)


def test_one_value_has_no_spread():
    assert summarise([0.6]) == Summary(0.6, None, 1, None)


def test_equal_values_have_a_spread_of_zero():
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


def test_one_seed_is_untestable_even_where_it_hits():
    assert verdict(summarise([0.6]), 0.6, True) == "untestable"


@pytest.mark.parametrize("summary", [Summary(0.6, 0.1, 5, (0.5, 0.7)), summarise([0.6])])
def test_another_corpus_gives_no_verdict(summary):
    assert verdict(summary, 0.6, False) is None
