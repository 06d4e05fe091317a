import pytest

from replicate.config import tables as definitions
from replicate.results.aggregate import TableResult
from replicate.results.claims import judge
from tests import cells
from tests.claims_toml import CLAIM, RULE, statement


def cell(values, published=None, by_class=None):
    by_class = by_class or [(value,) * 4 for value in values]
    return cells.cell(values, by_class, published)


def result(found_cells, table="table2"):
    """Results of a table with the given cells, by "row/context"; all other rows could not be trained."""
    found = definitions.table(table)
    rows = {row.name: {} for row in found.rows}
    for name, each in found_cells.items():
        row, _, context = name.rpartition("/")
        rows[row][context] = each
    seeds = tuple(range(24, 24 + len(next(iter(found_cells.values())).values)))
    return TableResult(found, "tiny", "0" * 64, (), "smoke", "paper", seeds, rows, {}, {}, ())


def pair(differences, published=(None, None)):
    """Tables in which the first cell is above the second by these differences."""
    base = [0.5, 0.25, 0.375, 0.5, 0.625, 0.25][: len(differences)]
    first = [value + difference for value, difference in zip(base, differences, strict=True)]
    return {"table2": result({"COGMEN-Mask/A": cell(first, published[0]), "COGMEN-A/A": cell(base, published[1])})}


@pytest.fixture
def written(tables_folder):
    """Replace the content of ``claims.toml``."""
    return lambda content: (tables_folder / "claims.toml").write_text(RULE + content, encoding="utf-8")


UP = [0.25, 0.1875, 0.25, 0.3125, 0.25]


@pytest.mark.parametrize(
    ("relation", "differences", "margin", "holds", "outcome"),
    [
        ("above", UP, 0.0, True, "reproduced"),
        ("above", [-d for d in UP], 0.0, False, "contradicted"),
        ("above", [0.25, -0.25, 0.25, -0.25, 0.125], 0.0, None, "undecided"),
        ("above", [0.0] * 5, 0.0, None, "undecided"),
        # All of four seeds agree, and p is 1/16.
        ("above", UP[:4], 0.0, None, "undecided"),
        ("above", [-d for d in UP[:4]], 0.0, None, "undecided"),
        ("above", UP[:1], 0.0, None, "undecided"),
        ("above", [-0.5], 0.0, None, "undecided"),
        ("far above", UP, 0.125, True, "reproduced"),
        ("far above", [0.0625] * 5, 0.125, False, "contradicted"),
        ("far above", [-0.25] * 5, 0.125, False, "contradicted"),
        ("far above", [0.125] * 5, 0.125, None, "undecided"),
        ("far above", UP[:1], 0.125, None, "undecided"),
        ("hardly above", [0.03125] * 5, 0.0625, True, "reproduced"),
        # Below is hardly above, too.
        ("hardly above", [-0.5] * 5, 0.0625, True, "reproduced"),
        ("hardly above", UP, 0.0625, False, "contradicted"),
        ("hardly above", [0.0625] * 5, 0.0625, None, "undecided"),
        ("hardly above", [0.25, -0.25, 0.25, -0.25, 0.0], 0.0625, None, "undecided"),
        ("hardly above", [0.0], 0.0625, None, "undecided"),
    ],
)
def test_the_rule(written, relation, differences, margin, holds, outcome):
    written(CLAIM + statement(relation))
    rule, (judged,) = judge(pair(differences))
    (found,) = judged.statements
    assert (found.holds, judged.outcome, found.margin) == (holds, outcome, margin)
    assert found.difference.mean == sum(differences) / len(differences) and found.difference.n == len(differences)
    assert (rule.level, rule.margins.far, judged.claim.text) == (0.05, 0.125, "A claim")


def test_p_is_of_the_statement_and_of_its_opposite(written):
    written(CLAIM + statement("above"))
    (above,) = judge(pair(UP))[1][0].statements
    assert (above.p, above.p_opposite) == (1 / 32, 1)
    written(CLAIM + statement("hardly above"))
    (hardly,) = judge(pair(UP))[1][0].statements
    assert (hardly.p, hardly.p_opposite) == (1, 1 / 32)
    (single,) = judge(pair(UP[:1]))[1][0].statements
    assert (single.p, single.p_opposite, single.holds, single.difference.std) == (None, None, None, None)


def test_the_level_of_the_rule_decides(tables_folder):
    content = RULE.replace("0.05", "0.07") + CLAIM + statement()
    (tables_folder / "claims.toml").write_text(content)
    assert judge(pair(UP[:4]))[1][0].outcome == "reproduced"
    (tables_folder / "claims.toml").write_text(content.replace("0.07", "0.0625"))
    assert judge(pair(UP[:4]))[1][0].outcome == "reproduced"
    (tables_folder / "claims.toml").write_text(content.replace("0.07", "0.062"))
    assert judge(pair(UP[:4]))[1][0].outcome == "undecided"


@pytest.mark.parametrize(
    ("relation", "margin", "holds"),
    [("above", 0.125, True), ("above", 0.5, False), ("far above", 0.0, True), ("hardly above", 0.5, True)],
)
def test_a_margin_of_a_statement_replaces_that_of_the_rule(written, relation, margin, holds):
    written(CLAIM + statement(relation, more=f"margin = {margin}"))
    (found,) = judge(pair(UP))[1][0].statements
    assert (found.margin, found.holds) == (margin, holds)


def test_published_differences(written):
    written(CLAIM + statement())
    for published, expected in [((0.75, 0.5), 0.25), ((0.5, 0.75), -0.25), ((None, 0.5), None), ((0.5, None), None)]:
        (found,) = judge(pair(UP, published))[1][0].statements
        assert found.published == expected and found.holds is True


def uneven(gains):
    """Tables in which the classes gain these, seed by seed."""
    base = [(0.25, 0.5, 0.375, 0.125)] * len(gains)
    first = [tuple(b + g for b, g in zip(*each, strict=True)) for each in zip(base, gains, strict=True)]
    values = [0.5] * len(gains)
    return {"table2": result({"COGMEN-Mask/A": cell(values, 0.5, first), "COGMEN-A/A": cell(values, 0.5, base)})}


@pytest.mark.parametrize(
    ("gains", "difference", "outcome"),
    [
        ([(0.25, 0.25, 0.25, 0.25)] * 5, 0.0, "reproduced"),
        ([(-0.125, -0.125, -0.125, -0.125)] * 5, 0.0, "reproduced"),
        # One class gains 0.5, the average class 0.125.
        ([(0.0, 0.5, 0.0, 0.0)] * 5, 0.375, "contradicted"),
        # Which class gains most may differ by seed.
        ([(0.5, 0.0, 0.0, 0.0)] * 2 + [(0.0, 0.0, 0.0, 0.5)] * 3, 0.375, "contradicted"),
        # A class that loses much is no class that gains.
        ([(0.0, 0.0, 0.0, -0.25)] * 5, 0.0625, "reproduced"),
        ([(0.5, 0.0, 0.0, 0.0)], 0.375, "undecided"),
    ],
)
def test_unevenness_is_what_the_best_class_gains_more_than_the_mean(written, gains, difference, outcome):
    written(CLAIM + statement("hardly above", more='measure = "unevenness"\nmargin = 0.125'))
    _, (judged,) = judge(uneven(gains))
    (found,) = judged.statements
    assert found.difference.mean == pytest.approx(difference) and judged.outcome == outcome
    assert found.published is None  # nothing was published by class


OTHER = "table3/COGMEN-Mask/A", "table3/COGMEN-A/A"


def second_table(differences):
    base = [0.25] * len(differences)
    first = [value + difference for value, difference in zip(base, differences, strict=True)]
    return {"table3": result({"COGMEN-Mask/A": cell(first), "COGMEN-A/A": cell(base)}, "table3")}


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (UP, UP, "reproduced"),
        (UP, [0.25, -0.25, 0.25, -0.25, 0.0], "undecided"),
        (UP, [-d for d in UP], "contradicted"),
        ([-d for d in UP], UP, "contradicted"),
        ([0.0] * 5, [-d for d in UP], "contradicted"),
        (UP, None, None),
        (None, UP, None),
        # One statement that fails is enough, whatever the other would be.
        ([-d for d in UP], None, "contradicted"),
    ],
)
def test_a_claim_is_all_its_statements(written, first, second, outcome):
    written(CLAIM + statement() + statement("above", *OTHER))
    tables = (pair(first) if first else {}) | (second_table(second) if second else {})
    _, (judged,) = judge(tables)
    assert judged.outcome == outcome
    missing = [each for each in judged.statements if each.difference is None]
    assert len(missing) == (first is None) + (second is None)
    assert all(each.p is each.p_opposite is each.holds is None for each in missing)


def test_a_claim_without_measured_cells_has_no_outcome(written):
    two = CLAIM + statement() + '[[claims]]\nnumber = 7\ntext = "Another"\n' + statement("above", *OTHER)
    written(two)
    assert [(judged.claim.number, judged.outcome is None) for judged in judge(pair(UP))[1]] == [(1, False), (7, True)]
    assert [judged.outcome is None for judged in judge(second_table(UP))[1]] == [True, False]
    # Without any measured cell the list of claims is empty.
    assert judge({})[1] == []
    # A row that needs a stream which the corpus lacks has no cells.
    lacking = {"table2": result({"COGMEN-Mask/A": cell(UP)})}
    assert judge(lacking)[1] == []


def published_tables(seeds=5):
    """All tables with the paper's own numbers, as if every seed had given them."""
    found = {}
    for name in ("table1", "table2", "table3", "table4", "table5"):
        table = definitions.table(name)
        shown = {f"{r.name}/{c}": cell([v] * seeds, v) for r in table.rows for c, v in r.published.items()}
        found[name] = result(shown, name)
    return found


def test_the_published_numbers_support_every_statement():
    _, judged = judge(published_tables())
    statements = [(found.claim.number, each) for found in judged for each in found.statements]
    for _, each in statements:
        if each.statement.measure == "difference":
            assert each.published == pytest.approx(each.difference.mean)
    assert [(number, each) for number, each in statements if not each.holds] == []
    gaps = [each for number, each in statements if number == 2]
    assert [round(each.published, 4) for each in gaps] == [0.0402, 0.0255, 0.0147]


def test_one_seed_never_decides():
    _, judged = judge(published_tables(1))
    assert {found.outcome for found in judged} == {"undecided"} and len(judged) == 10
