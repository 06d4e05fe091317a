from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.config import tables as definitions
from replicate.config.claims import load
from replicate.metrics import weighted_f1
from replicate.results.aggregate import TableResult, compared
from replicate.results.cell import Cell
from replicate.results.claims import judge
from replicate.results.resampling import resample
from replicate.results.statistics import holm
from tests import cells
from tests.claims_toml import CLAIM, RULE, statement


def cell(values, published=None):
    """A cell with one dialogue; all have the runs of one name, so that seeds are pairs."""
    return cells.cell(values, published=published)


def result(found_cells, table="table2"):
    """Results of a table with the given cells, by "row/context"; all other rows could not be trained."""
    found = definitions.table(table)
    rows = {row.name: {} for row in found.rows}
    for name, each in found_cells.items():
        row, _, context = name.rpartition("/")
        rows[row][context] = each
    seeds = tuple(range(24, 24 + len(next(iter(found_cells.values())).values)))
    comparisons = compared(found, rows)
    return TableResult(found, "tiny", "0" * 64, (), "smoke", "paper", seeds, rows, {}, {}, comparisons)


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
        ("above", UP[:1], 0.0, None, "undecided"),
        ("above", [-0.5], 0.0, None, "undecided"),
        ("far above", UP, 0.125, True, "reproduced"),
        # The margin is 3.3 standard errors away with 4 degrees of freedom: p is 0.03.
        ("far above", [0.0625, 0.0, 0.125, 0.0625, 0.0625], 0.125, False, "contradicted"),
        ("far above", [-0.25] * 5, 0.125, False, "contradicted"),
        ("far above", [0.125] * 5, 0.125, None, "undecided"),
        ("far above", UP[:1], 0.125, None, "undecided"),
        ("within", [0.03125] * 5, 0.0625, True, "reproduced"),
        ("within", [0.03125, -0.03125, 0.03125, -0.03125, 0.0], 0.0625, True, "reproduced"),
        # Far below is not equivalent, either.
        ("within", [-0.5] * 5, 0.0625, False, "contradicted"),
        ("within", UP, 0.0625, False, "contradicted"),
        ("within", [-d for d in UP], 0.0625, False, "contradicted"),
        ("within", [0.0625] * 5, 0.0625, None, "undecided"),
        ("within", [0.25, -0.25, 0.25, -0.25, 0.0], 0.0625, None, "undecided"),
        ("within", [0.0], 0.0625, None, "undecided"),
    ],
)
def test_the_rule(written, relation, differences, margin, holds, outcome):
    written(CLAIM + statement(relation))
    rule, (judged,) = judge(pair(differences))
    (found,) = judged.statements
    assert (found.holds, judged.outcome, found.margin) == (holds, outcome, margin)
    assert found.measured.value == pytest.approx(sum(differences) / len(differences))
    assert found.measured.n == len(differences)
    assert (found.needed is None) is (holds is not None)
    assert (rule.level, rule.margins.far, judged.claim.text) == (0.05, 0.125, "A claim")


def test_equivalence_is_shown_at_the_other_margins(written):
    written(CLAIM + statement("within"))
    (found,) = judge(pair([0.125, 0.1875, 0.125, 0.0625, 0.125]))[1][0].statements
    assert (found.holds, found.margins) == (False, ((0.0625, False), (0.25, True)))
    written(CLAIM + statement("above"))
    assert judge(pair(UP))[1][0].statements[0].margins == ()


def test_one_seed_has_no_p(written):
    written(CLAIM + statement("above"))
    (single,) = judge(pair(UP[:1]))[1][0].statements
    assert (single.p, single.holds, single.measured.ci95, single.needed.seeds) == (None, None, None, 2)


def test_the_level_of_the_rule_decides(tables_folder):
    content = RULE + CLAIM + statement()
    uncertain = [0.25, 0.0, 0.25, 0.0, 0.125]
    p = judge(pair(uncertain))[0], judge(pair(uncertain))[1]
    for level, outcome in ((0.04, "undecided"), (0.2, "reproduced")):
        (tables_folder / "claims.toml").write_text(content.replace("0.05", str(level)))
        (judged,) = judge(pair(uncertain))[1]
        assert 0.04 < judged.statements[0].p < 0.2 and judged.outcome == outcome, p


@pytest.mark.parametrize(
    ("relation", "margin", "holds"),
    [("above", 0.125, True), ("above", 0.5, False), ("far above", 0.0, True), ("within", 0.5, True)],
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
    missing = [each for each in judged.statements if each.measured is None]
    assert len(missing) == (first is None) + (second is None)
    assert all(each.p is each.holds is each.needed is None for each in missing)


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


def test_an_emotion_that_the_corpus_lacks_is_not_measured(written):
    alone = '[[claims.statements]]\nfirst = "table2/COGMEN-A/A"\nrelation = "least certain of"\nemotion = "sad"\n'
    written(CLAIM + statement() + alone)
    (judged,) = judge(pair(UP))[1]
    assert [each.measured is None for each in judged.statements] == [False, True] and judged.outcome is None


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
    assert [each.claim.number for each in judged] == list(range(1, 14))
    statements = [(found.claim.number, each) for found in judged for each in found.statements]
    compared = [(number, each) for number, each in statements if not each.statement.by_class]
    for _, each in compared:
        assert each.published == pytest.approx(each.measured.value)
    assert [(number, each) for number, each in compared if not each.holds] == []
    gaps = [each for number, each in statements if number == 2]
    assert [round(each.published, 4) for each in gaps] == [0.0402, 0.0255, 0.0147]


def test_one_seed_never_decides():
    _, judged = judge(published_tables(1))
    outcomes = {found.claim.number: found.outcome for found in judged}
    # The cells made here have no class of the name "sad".
    assert outcomes == dict.fromkeys(range(1, 14), "undecided") | {11: None}


def test_statements_about_two_cells_of_a_table_are_among_its_comparisons():
    """So that a reader finds every test of a claim in the table, too."""
    _, claims = load()
    for claim in claims:
        for each in claim.statements:
            (first, one), (second, other) = ((name.partition("/")[0], name) for name in (each.first, each.second))
            if len(each.cells) == 2 and first == second:
                pairs = [{f"{first}/{cell}" for cell in names} for names in definitions.table(first).compare]
                assert {one, other} in pairs, (claim.number, each)


DIALOGUES = 6


def planted(number, seeds, scale, apart):
    """Results of tables 1 to 3 with random effects of arms, seeds and dialogues, which may be large or absent."""
    generator = np.random.default_rng(number)
    found = {}
    for name in ("table1", "table2", "table3"):
        table = definitions.table(name)
        shown = {}
        for row in table.rows:
            for context in row.contexts:
                scores = generator.normal(0.6 + apart * generator.uniform(-1, 1), scale, (seeds, DIALOGUES))
                shown[f"{row.name}/{context}"] = cells.of_dialogues(scores.clip(0, 1).tolist(), f"{row.arm.name} ")
        found[name] = result(shown, name)
    return found


def few_resamples(cell):
    """Fifty, so that many results can be planted."""
    return resample(cell.statistics, cell.fold, weighted_f1, 50)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(2, 4), st.sampled_from([0.0, 0.01, 0.1]), st.sampled_from([0.0, 0.2]))
@pytest.mark.slow
def test_claims_and_tables_never_contradict_each_other(number, seeds, scale, apart):
    with mock.patch.object(Cell, "resampled", property(few_resamples)):
        results = planted(number, seeds, scale, apart)
        rule, judged = judge(results)
    for claim in judged:
        for each in claim.statements:
            if each.statement.by_class or each.measured is None:
                continue
            if each.p is not None and each.measured.ci95 is not None and each.holds is not None:
                low, high = each.measured.ci95
                sides = (each.margin, -each.margin) if each.statement.relation == "within" else (each.margin,)
                assert not any(low < side < high for side in sides) or not each.holds
            _agrees_with_its_table(each, results, rule.level)


def _agrees_with_its_table(each, results, level):
    table, _, first = each.statement.first.partition("/")
    other, _, second = each.statement.second.partition("/")
    if len(each.statement.cells) > 2 or table != other:
        return
    (own,) = [c for c in results[table].comparisons if {c.first, c.second} == {first, second}]
    difference = own.difference.mean if own.first == first else -own.difference.mean
    assert each.measured.value == pytest.approx(difference)
    if each.statement.relation == "above" and each.margin == 0:
        assert each.p == own.p_holm
        assert each.holds is ((difference > 0) if own.p_holm <= level else None)
    elif each.statement.relation in ("above", "far above") and each.holds:
        assert own.p_holm <= level and difference > each.margin
    elif each.statement.relation == "within" and each.holds is False:
        assert own.p_holm <= level and abs(difference) > each.margin


def test_two_differences_that_come_down_to_two_cells_have_the_p_of_the_table():
    """In claim 2, the teachers of both pairs are the same runs: what is left are the two students."""
    table = definitions.table("table1")
    teacher = cells.of_dialogues([[0.7, 0.6, 0.8], [0.6, 0.7, 0.7], [0.75, 0.6, 0.7]], "Teacher")
    scores = (
        [[0.5, 0.6, 0.55], [0.6, 0.65, 0.6], [0.6, 0.5, 0.6]],
        [[0.45, 0.5, 0.5], [0.5, 0.6, 0.5], [0.5, 0.5, 0.4]],
    )
    students = [
        cells.of_dialogues(each, name, frozenset(teacher.runs)) for name, each in zip("ab", scores, strict=True)
    ]
    shown = {f"{row.name}/AV": teacher for row in table.rows if "teacher" in row.name}
    shown |= {"fewer GNN heads: student [4, 3]/A": students[0], "fewer context layers: student [2, 7]/A": students[1]}
    results = {"table1": result(shown, "table1")}
    statement = judge(results)[1][1].statements[2]
    (own,) = [each for each in results["table1"].comparisons if each.first.startswith("fewer GNN heads: student")]
    assert statement.measured.value == pytest.approx(own.difference.mean)
    assert statement.p == pytest.approx(own.p_holm)
    assert own.p_holm == holm([each.p for each in results["table1"].comparisons])[-1]
