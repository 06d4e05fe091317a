import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from replicate.results.estimate import Component, Estimate, critical, estimate, share_runs
from tests.cells import cell, of_dialogues

SEEDS, DIALOGUES = 10, 12


def scores(seed, seeds=SEEDS, dialogues=DIALOGUES):
    """F1 by seed and dialogue, with effects of both."""
    generator = np.random.default_rng(seed)
    by_seed, by_dialogue = generator.normal(0, 0.03, (seeds, 1)), generator.normal(0, 0.1, (1, dialogues))
    return np.clip(0.6 + by_seed + by_dialogue + generator.normal(0, 0.05, (seeds, dialogues)), 0, 1)


def test_the_variance_is_that_of_a_two_way_layout():
    """Scores here are linear, so that mean squares give the variance of the grand mean without bias."""
    each = scores(0)
    found = estimate([(of_dialogues(each), 1.0)])
    mean = each.mean()
    residual = each - each.mean(0) - each.mean(1, keepdims=True) + mean
    by_seeds = each.mean(1).var(ddof=1) / SEEDS
    by_dialogues = each.mean(0).var(ddof=1) / DIALOGUES
    both = (residual**2).sum() / ((SEEDS - 1) * (DIALOGUES - 1)) / each.size
    assert (found.mean, found.n, found.dialogues) == (pytest.approx(mean), SEEDS, DIALOGUES)
    assert found.by_seeds.variance == pytest.approx(by_seeds)
    assert found.by_dialogues.variance == pytest.approx(by_dialogues, rel=0.1)
    assert found.interaction == pytest.approx(both, rel=0.1)
    assert found.variance == pytest.approx(by_seeds + by_dialogues - both, rel=0.1)
    assert found.by_seeds.df == SEEDS - 1 and 1 <= found.by_dialogues.df <= DIALOGUES - 1
    total = found.variance**2 / (
        found.by_seeds.variance**2 / 9 + found.by_dialogues.variance**2 / found.by_dialogues.df
    )
    assert found.df == pytest.approx(total)


def test_independent_arms_add_variances_of_seeds_and_pairs_do_not():
    first, second = scores(1), scores(1) - 0.1
    paired = estimate([(of_dialogues(first), 1.0), (of_dialogues(second), -1.0)])
    independent = estimate([(of_dialogues(first, "a"), 1.0), (of_dialogues(second, "b"), -1.0)])
    assert paired.by_seeds.variance == pytest.approx(0, abs=1e-20)
    assert independent.by_seeds.variance == pytest.approx(2 * first.mean(1).var(ddof=1) / SEEDS)
    assert independent.by_seeds.df == pytest.approx(2 * (SEEDS - 1))
    # Dialogues are the same in both.
    assert paired.by_dialogues.variance == pytest.approx(0, abs=1e-20)
    assert independent.by_dialogues.variance == pytest.approx(0, abs=1e-20)


def test_other_dialogues_are_independent():
    first = of_dialogues(scores(2), "a")
    same, other = of_dialogues(scores(2), "b"), of_dialogues(scores(2, dialogues=DIALOGUES), "b")
    object.__setattr__(other, "dialogues", tuple(f"other {i}" for i in range(DIALOGUES)))
    alone = estimate([(first, 1.0)]).by_dialogues.variance
    assert estimate([(first, 1.0), (same, -1.0)]).by_dialogues.variance == pytest.approx(0, abs=1e-20)
    assert estimate([(first, 1.0), (other, -1.0)]).by_dialogues.variance == pytest.approx(2 * alone)


def test_seeds_are_pairs_of_the_same_runs_of_teachers_and_of_common_teachers():
    model, other = cell([0.5, 0.6], name="model"), cell([0.5, 0.6], name="other")
    student = cell([0.5, 0.6], name="student", teachers=frozenset({"model0", "model1"}))
    sibling = cell([0.5, 0.6], name="sibling", teachers=frozenset({"model0", "model1"}))
    assert share_runs(model, cell([0.1, 0.2], name="model"))
    assert share_runs(student, model) and share_runs(model, student) and share_runs(student, sibling)
    assert not share_runs(model, other) and not share_runs(student, other)


def test_groups_are_connected_through_cells_that_share_runs():
    """Two students are pairs through their teacher, whatever the order of the cells."""
    teacher = of_dialogues(scores(3), "teacher")
    students = [of_dialogues(scores(seed), f"s{seed}", frozenset(teacher.runs)) for seed in (4, 5)]
    differences = [(students[0], 1.0), (students[1], 1.0), (teacher, -2.0)]
    rows = np.sum([factor * each.resampled.scores for each, factor in differences], 0)
    for order in ([0, 1, 2], [2, 0, 1], [0, 2, 1]):
        found = estimate([differences[i] for i in order])
        assert found.by_seeds.variance == pytest.approx(rows.var(ddof=1) / SEEDS)
        assert found.by_seeds.df == SEEDS - 1


def test_a_cell_differs_from_itself_by_nothing():
    one = of_dialogues(scores(6))
    found = estimate([(one, 1.0), (one, -1.0)])
    assert (found.mean, found.variance, found.ci95, found.p(), found.p(0.1)) == (0, 0, (0, 0), 1, 0)


def test_one_seed_has_neither_interval_nor_p():
    found = estimate([(of_dialogues(scores(7, seeds=1)), 1.0)])
    assert (found.n, found.variance, found.ci95, found.p()) == (1, None, None, None)


def test_one_dialogue_leaves_the_seeds():
    found = estimate([(cell([0.5, 0.75, 0.625]), 1.0)])
    assert found.by_dialogues is None and found.dialogues == 0
    half = t.isf(0.025, 2) * np.std([0.5, 0.75, 0.625], ddof=1) / math.sqrt(3)
    assert found.ci95 == pytest.approx((0.625 - half, 0.625 + half))


def test_the_variance_is_never_below_that_of_either_source():
    found = Estimate(0.0, 10, 12, Component(2.0, 9), Component(3.0, 11), 4.5)
    assert found.variance == 3.0


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-1, 1),
    st.floats(1e-8, 1),
    st.floats(1e-8, 1),
    st.floats(0, 1),
    st.floats(1e-4, 0.5),
    st.floats(-1, 1),
)
def test_p_is_at_or_below_a_level_where_the_interval_excludes_the_value(mean, seeds, dialogues, share, level, value):
    found = Estimate(mean, 10, 12, Component(seeds, 9), Component(dialogues, 11), share * min(seeds, dialogues))
    low, high = found.interval(level)
    if min(abs(low - value), abs(high - value)) > 1e-9:
        assert (found.p(value) <= level) is not (low <= value <= high)


def test_critical_values():
    assert critical(0.05, math.inf) == pytest.approx(norm.isf(0.025)) == pytest.approx(1.96, abs=1e-3)
    assert critical(0.05, 9) == pytest.approx(2.262, abs=1e-3)


def test_long_dialogues_make_the_variance_less_certain():
    """One dialogue of twelve with all the influence leaves few degrees of freedom."""
    even = scores(8)
    uneven = even.copy()
    uneven[:, 1:] = 0.5
    uneven[:, 0] = 1.0
    assert estimate([(of_dialogues(uneven), 1.0)]).by_dialogues.df < 3
    assert estimate([(of_dialogues(even), 1.0)]).by_dialogues.df > 5
