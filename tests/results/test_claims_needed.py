"""What is needed to decide an open claim."""

from replicate.results.claims import judge
from replicate.results.estimate import estimate
from replicate.results.sizes import needed
from tests.claims_toml import CLAIM, RULE, statement
from tests.results.test_claims import cell, result


def test_what_is_needed_is_for_the_level_that_the_correction_leaves(tables_folder):
    """A corrected p is at most 1, so that its ratio to p tells nothing about the level that is left."""
    (tables_folder / "claims.toml").write_text(RULE + CLAIM + statement(), encoding="utf-8")
    names = ("COGMEN-Mask/A", "COGMEN-A/A", "COGMEN-AV/A", "COGMEN-A + Mask/A")
    values = ([0.5, 0.4, 0.6, 0.5], [0.5, 0.5, 0.5, 0.4], [0.4, 0.5, 0.6, 0.4], [0.6, 0.4, 0.5, 0.5])
    found = dict(zip(names, map(cell, values), strict=True))
    tables = {"table2": result(found)}
    (each,) = judge(tables)[1][0].statements
    assert each.p == 1 and len(tables["table2"].comparisons) == 4
    difference = estimate([(found["COGMEN-Mask/A"], 1.0), (found["COGMEN-A/A"], -1.0)])
    assert each.needed == needed(difference, difference.mean, 0.05 / 4) != needed(difference, difference.mean, 0.05)
