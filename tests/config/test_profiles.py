"""Profiles of the package, and seeds that a user lists."""

from dataclasses import replace

import pytest

from replicate.config.profiles import parse_seeds, profile
from replicate.errors import BadSeeds, InvalidDefinition
from replicate.training.config import Budget


def test_the_paper_profile_is_the_released_codes_budget():
    assert replace(profile("paper").budget, steps=0) == Budget(55, 32, 1e-4, 1e-8, 2048) == Budget()
    assert profile("paper").seeds[0] == 24


def test_the_paper_profile_trains_iemocap_for_the_epochs_of_the_released_code():
    assert profile("paper").budget.epochs_for(108, 2) == 55
    assert profile("paper").budget.epochs_for(28, 2) > 55


def test_the_control_profile_is_quick_with_fewer_epochs():
    control, quick = profile("control"), profile("quick")
    assert replace(control, name="quick", budget=quick.budget) == quick
    assert replace(control.budget, epochs=quick.budget.epochs, steps=quick.budget.steps) == quick.budget
    # The training split of its corpus is 6 batches.
    assert control.budget.epochs_for(45, 2) == 16 < quick.budget.epochs_for(45, 2) == 24


def test_an_unknown_profile_suggests_the_nearest():
    with pytest.raises(InvalidDefinition, match="unknown profile 'smok': did you mean smoke"):
        profile("smok")


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("24,25", (24, 25)),
        ("25,24", (25, 24)),
        ("3", (24, 25, 26)),
        ("1", (24,)),
        ("24,", (24,)),
        (" 7 , 0 ", (7, 0)),
        ("1000", tuple(range(24, 1024))),
        ("1001,", (1001,)),
    ],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "a",
        "24,a",
        "24,24",
        "024,24",
        "-1",
        "1.5",
        "24;25",
        "0",
        "1001",
        "٣",
        "²",
        "２,３",
        "1e3",
        "9" * 5000,
    ],
)
def test_what_is_no_list_of_seeds_is_refused(text):
    with pytest.raises(BadSeeds, match="24,25,26"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("24,7,24,", "^seeds '24,7,24,' repeat 24: "),
        ("0", "^seeds '0' are none: "),
        ("1001", "^1001 seeds are more than 1000: "),
    ],
)
def test_the_reason_that_seeds_are_refused_is_named(text, reason):
    with pytest.raises(BadSeeds, match=reason):
        parse_seeds(text)
