import math

import pytest

from replicate.results.estimate import Component, Estimate, critical
from replicate.results.sizes import Needed, at, needed

# Mostly seeds, mostly dialogues, and both.
SEEDS = Estimate(0.05, 10, 31, Component(4e-4, 9), Component(1e-5, 20), 0.0)
DIALOGUES = Estimate(0.05, 10, 31, Component(1e-5, 9), Component(6e-4, 20), 0.0)
BOTH = Estimate(0.05, 10, 31, Component(5e-4, 9), Component(5e-4, 20), 1e-4)


def test_the_present_size_gives_the_present_estimate():
    assert at(BOTH, 10, 31) == BOTH


def test_the_variance_falls_with_seeds_and_dialogues():
    more = at(BOTH, 20, 62)
    assert more.by_seeds.variance == pytest.approx(4e-4 / 2 + 1e-4 / 4)
    assert more.by_dialogues.variance == pytest.approx(4e-4 / 2 + 1e-4 / 4)
    assert more.interaction == pytest.approx(1e-4 / 4)
    assert more.variance == pytest.approx(8e-4 / 2 + 1e-4 / 4)
    assert (more.by_seeds.df, more.by_dialogues.df) == (19, 40)


def test_seeds_where_they_are_enough():
    found = needed(SEEDS, 0.05, 0.05)
    assert found.dialogues is None and 12 <= found.seeds <= 20
    power = critical(0.4, math.inf)

    def decided(seeds):
        larger = at(SEEDS, seeds, 31)
        return (critical(0.05, larger.df) + power) * math.sqrt(larger.variance) <= 0.05

    assert decided(found.seeds) and not decided(found.seeds - 1)


def test_dialogues_where_no_number_of_seeds_is_enough():
    found = needed(DIALOGUES, 0.05, 0.05)
    assert found.seeds is None and 31 < found.dialogues < 90
    assert needed(DIALOGUES, 0.05, 0.01).dialogues > found.dialogues


def test_both_where_neither_alone_is_enough():
    found = needed(BOTH, 0.03, 0.05)
    assert found.seeds > 10 and found.dialogues > 31
    assert needed(SEEDS, 0.002, 0.05) == Needed()


def test_a_single_dialogue_leaves_the_seeds():
    alone = Estimate(0.05, 10, by_seeds=Component(4e-4, 9))
    assert 12 <= needed(alone, 0.05, 0.05).seeds <= 20
    assert needed(alone, 1e-5, 0.05) == Needed()


def test_what_lies_at_the_margin_is_never_decided_and_one_seed_needs_another():
    assert needed(BOTH, 0.0, 0.05) == Needed()
    assert needed(Estimate(0.5, 1), 0.1, 0.05) == Needed(2)


def test_sizes_are_rounded_up_to_two_digits():
    large = needed(SEEDS, 0.008, 0.05)
    assert large.seeds is not None and large.seeds > 100 and large.seeds % 10 == 0
