from dataclasses import replace

import pytest

from replicate.config.claims import load
from replicate.results.claims import judge
from replicate.results.controls import is_gain
from replicate.results.outcomes import OUTCOMES
from tests.claims_toml import CLAIM, statement
from tests.results.test_claims import OTHER, UP, cell, pair, written

__all__ = ["written"]

BUILT = CLAIM + "built = true\n"
DOWN, MIXED = [-each for each in UP], [0.25, -0.25, 0.25, -0.25, 0.125]


def on(control, results, **fields):
    """The same results on a control."""
    return {name: replace(each, control=control, **fields) for name, each in results.items()}


@pytest.mark.parametrize(
    ("control", "claim", "differences", "outcome"),
    [
        ("positive", BUILT, UP, "found as built"),
        ("positive", BUILT, DOWN, "missed"),
        ("positive", BUILT, MIXED, "missed"),
        ("positive", CLAIM, UP, "not built in"),
        ("positive", CLAIM, DOWN, "not built in"),
        # COGMEN-Mask, which is trained with video, above COGMEN-A.
        ("negative", CLAIM, UP, "found although not built in"),
        ("negative", CLAIM, DOWN, "nothing found, as built"),
        ("negative", BUILT, MIXED, "nothing found, as built"),
    ],
)
def test_claims_on_controls_are_judged_by_what_was_built_in(written, control, claim, differences, outcome):
    written(claim + statement())
    (judged,) = judge(on(control, pair(differences)))[1]
    assert (judged.outcome, judged.control) == (outcome, control) and outcome in OUTCOMES[control]


def test_a_claim_that_is_not_measured_has_no_outcome_on_controls_either(written):
    written(BUILT + statement() + statement("above", *OTHER))
    for control in ("positive", "negative"):
        assert judge(on(control, pair(DOWN if control == "negative" else UP)))[1][0].outcome is None
    # One gain is enough.
    assert judge(on("negative", pair(UP)))[1][0].outcome == "found although not built in"


def test_a_claim_that_no_gain_is_part_of_is_not_tested_by_the_negative_control(written):
    written(CLAIM + statement("within") + statement("above", second="table2/COGMEN-AV/A"))
    results = on("negative", pair(UP))
    results["table2"].rows["COGMEN-AV"]["A"] = cell(UP)
    assert judge(results)[1][0].outcome == "not tested"


def test_nothing_is_built_into_other_splits_of_the_positive_control(written):
    written(BUILT + statement())
    assert judge(on("positive", pair(UP), folds=("a", "b")))[1][0].outcome == "not built in"


@pytest.mark.parametrize("privileged", ["V", "T"])
def test_gains_are_statements_that_put_privileged_streams_above_speech_alone(privileged):
    claims = load(privileged)[1]
    gains = [(each.number, i) for each in claims for i, one in enumerate(each.statements) if is_gain(one, privileged)]
    assert gains == [(5, 1), (8, 1), (9, 0)]
    assert [each.number for each in claims if each.built] == [3, 4, 5, 9]
