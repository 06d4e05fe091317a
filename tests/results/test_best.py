"""The best value of a column is one only where a test supports it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.config.tables import Row, Table
from replicate.metrics import BINS
from replicate.results import best
from replicate.results.aggregate import Comparison, TableResult
from replicate.results.estimate import estimate
from tests import cells
from tests.small_runs import TEACHER


def cell(name, mean, spread=0.01):
    """Three seeds on eight dialogues, around a mean."""
    return cells.of_dialogues(
        [[mean + spread * ((3 * seed + 5 * d) % 7 - 3) for d in range(8)] for seed in range(3)], name
    )


def result(rows, **fields):
    """A table of these cells by row and context."""
    contexts = tuple(dict.fromkeys(context for each in rows.values() for context in each))
    table = Table("table9", "Nine", "nowhere", contexts, tuple(Row(name, TEACHER, contexts) for name in rows))
    made = TableResult(table, "corpus", "0" * 64, (), "quick", "paper", (1, 2, 3), rows, {}, {}, (), labels=("a", "b"))
    return replace(made, **fields)


def rows(spread=0.01, **means):
    return {name: {"A": cell(name, mean, spread)} for name, mean in means.items()}


def test_a_row_that_is_clearly_above_all_others_is_the_best():
    found = best.find(result(rows(low=0.3, high=0.6, middle=0.4)))
    assert found.rows == {"A": "high"}
    assert [each.mean for each in found.differences] == pytest.approx([0.3, 0.2])


def test_no_row_is_the_best_if_one_of_the_others_may_be_as_good():
    """The best is far above one row and within the noise of the other."""
    assert best.find(result(rows(low=0.3, high=0.6, near=0.599))).rows == {}
    assert best.find(result(rows(low=0.3, high=0.6, same=0.6))).rows == {}


def test_the_correction_counts_the_differences_of_all_columns():
    made = rows(spread=0.06, low=0.4, high=0.46)
    p = best.find(result(made)).differences[0].p()
    assert best.LEVEL / 4 < p <= best.LEVEL and best.find(result(made)).rows == {"A": "high"}
    wide = {name: dict.fromkeys(("A", "B", "C", "D"), each["A"]) for name, each in made.items()}
    assert best.find(result(wide)).rows == {} and len(best.find(result(wide)).differences) == 4


def test_a_comparison_of_the_table_that_finds_no_difference_is_not_contradicted():
    made = result(rows(low=0.3, high=0.6, middle=0.4))
    high, low = made.rows["high"]["A"], made.rows["low"]["A"]
    for p_holm, expected in ((0.04, {"A": "high"}), (0.06, {}), (None, {})):
        compared = (Comparison("low/A", "high/A", estimate([(low, 1.0), (high, -1.0)]), 0.01, p_holm),)
        assert best.find(replace(made, comparisons=compared)).rows == expected


def test_the_lowest_calibration_error_is_the_best():
    made = rows(low=0.3, high=0.6)
    for each, error in zip(made.values(), (0.125, 0.5), strict=True):
        number, confidence = (each["A"].statistics[..., -k * BINS] for k in (3, 2))
        number[:], confidence[:] = 1, error
    found = best.find(result({name: {"A": each["A"].of("ece")} for name, each in made.items()}, metric="ece"))
    assert found.rows == {"A": "low"} and found.differences[0].mean == pytest.approx(0.375)


def test_a_baseline_that_is_as_good_leaves_no_best_row():
    made = result(rows(low=0.3, high=0.6))
    simple = {name: {"A": cells.of_dialogues([[value] * 8], name)} for name, value in (("one", 0.5), ("two", 0.7))}
    assert best.find(replace(made, baselines={"one": simple["one"]})).rows == {"A": "high"}
    assert best.find(replace(made, baselines=simple)).rows == {}


def test_one_seed_one_row_and_rows_without_cells():
    single = {name: {"A": cells.of_dialogues([[value] * 8], name)} for name, value in (("low", 0.3), ("high", 0.6))}
    assert best.find(result(single)).rows == {}
    assert best.find(result(rows(only=0.5))) == best.Best({}, ())
    assert best.find(result({**rows(low=0.3, high=0.6), "absent": {}})).rows == {"A": "high"}


@given(
    means=st.lists(st.integers(30, 70), min_size=2, max_size=4),
    spread=st.sampled_from([0.005, 0.03]),
    order=st.randoms(use_true_random=False),
)
def test_the_best_row_has_the_highest_mean_in_any_order(means, spread, order):
    made = {f"row {i}": {"A": cell(f"row {i}", mean / 100, spread)} for i, mean in enumerate(means)}
    shuffled = list(made.items())
    order.shuffle(shuffled)
    found = best.find(result(made)).rows
    assert found == best.find(result(dict(shuffled))).rows
    if found:
        others = sorted(each["A"].summary.mean for each in made.values())
        assert made[found["A"]]["A"].summary.mean == others[-1] > others[-2]
