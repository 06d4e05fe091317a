from dataclasses import replace

import pytest
from scipy.stats import ttest_rel

from replicate.config.tables import Row, Table
from replicate.results import aggregate
from replicate.results.aggregate import TableResult, compared
from replicate.results.cell import RowRuns
from replicate.results.statistics import holm, summarise
from tests import cells as made_cells
from tests import planted
from tests.small_runs import ARM, TEACHER, of

HUBERT = replace(ARM, name="hubert", audio="hubert")


def cell(*values):
    return made_cells.cell(values)


def planted_runs(store, corpus, *seeds):
    """Runs of which the first has no wrong prediction on test, the second one, and so on."""
    keys = [planted.put(store, of(TEACHER, seed), corpus, {"test": i}) for i, seed in enumerate(seeds)]
    return tuple(map(store.get, keys))


def table(*compare, rows=("one", "two")):
    found = tuple(Row(name, TEACHER, ("A", "AV")) for name in rows)
    return Table("table9", "Nine", "nowhere", ("A", "AV"), found, compare=compare)


def test_cells_of_runs(store, corpus):
    truth = [label for d in corpus.split("test") for label in d.labels.tolist()]
    assert len(truth) == 5
    runs = planted_runs(store, corpus, 24, 25, 26)
    row = Row("r", TEACHER, ("AV", "A"), {"AV": 0.5}, {"AV": 0.125})
    found, needs = aggregate.cells([row, Row("h", HUBERT, ("A",))], corpus, lambda row: RowRuns(runs))
    assert needs == {"h": ("hubert",)} and found["h"] == {}
    assert list(found["r"]) == ["AV", "A"]
    av, a = found["r"].values()
    assert av.values == a.values and av.values[0] == 1 and av.values[0] > av.values[1] > av.values[2]
    assert replace(av.summary, ci95=None) == replace(summarise(av.values), ci95=None) and av.verdict is None
    assert av.summary.ci95[0] < av.summary.mean < av.summary.ci95[1]
    assert (av.published, av.published_std, a.published, a.published_std) == (0.5, 0.125, None, None)
    assert av.by_class[0] == (1, 1) and all(len(classes) == 2 for classes in av.by_class)
    weights = [truth.count(0) / 5, truth.count(1) / 5]
    for value, classes in zip(av.values, av.by_class, strict=True):
        assert value == pytest.approx(sum(w * f1 for w, f1 in zip(weights, classes, strict=True)))


def test_a_row_is_fetched_once_and_never_where_it_cannot_be_trained(corpus):
    asked = []

    def fetch(row):
        asked.append(row.name)
        raise KeyError

    assert aggregate.cells([Row("h", HUBERT, ("A",))], corpus, fetch) == ({"h": {}}, {"h": ("hubert",)})
    assert asked == []


def test_verdicts_on_the_published_corpus_alone(store, corpus):
    runs = planted_runs(store, corpus, 24, 25, 26)
    row = Row("r", TEACHER, ("AV", "A"), {"AV": 0.8, "A": 0.1}, {"A": 0.0})
    on = {
        flag: aggregate.cells([row], replace(corpus, published=flag), lambda row: RowRuns(runs))[0]["r"]
        for flag in (0, 1)
    }
    assert [cell.verdict for cell in on[0].values()] == [None, None]
    assert [cell.verdict for cell in on[1].values()] == ["inside", "outside"]


ROWS = {
    "one": {"A": cell(0.5, 0.75, 0.5), "AV": cell(0.75, 0.75, 0.75)},
    "two": {"A": cell(0.25, 0.25, 0.25), "AV": cell(0.5, 1.0, 0.5)},
}


def test_comparisons_are_corrected_for_their_number():
    pairs = (("one/A", "two/A"), ("one/AV", "one/A"), ("two/AV", "one/AV"))
    found = compared(table(*pairs), ROWS)
    assert [(each.first, each.second) for each in found] == list(pairs)
    assert [each.difference.mean for each in found] == pytest.approx([1 / 3, 1 / 6, -1 / 12])
    assert [each.p for each in found] == [each.difference.p() for each in found]
    assert [each.p_holm for each in found] == holm([each.p for each in found])
    assert found[0].p_holm == pytest.approx(3 * found[0].p) and found[0].p < found[1].p


def test_with_a_single_dialogue_seeds_of_the_same_runs_are_pairs():
    """The hand-made cells all have the runs of the same name, so that this is the paired t test."""
    (found,) = compared(table(("one/A", "two/A")), ROWS)
    assert found.difference.dialogues == 0
    assert found.p == pytest.approx(ttest_rel([0.5, 0.75, 0.5], [0.25, 0.25, 0.25]).pvalue)


def test_what_could_not_be_trained_is_not_compared_and_does_not_count():
    rows = ROWS | {"three": {}}
    pairs = (("one/A", "three/A"), ("one/A", "two/A"), ("three/AV", "one/A"))
    (found,) = compared(table(*pairs, rows=("one", "two", "three")), rows)
    assert (found.first, found.second) == ("one/A", "two/A") and found.p == found.p_holm < 0.1


def test_one_seed_is_compared_without_a_test():
    (found,) = compared(table(("one/A", "two/A")), {"one": {"A": cell(0.75)}, "two": {"A": cell(0.5)}})
    assert (found.difference.mean, found.difference.n, found.difference.ci95) == (0.25, 1, None)
    assert found.p is found.p_holm is None


def test_equal_cells_differ_by_nothing():
    (found,) = compared(table(("one/AV", "one/AV")), ROWS)
    assert (found.difference.mean, found.difference.variance, found.p, found.p_holm) == (0, 0, 1, 1)


def test_a_row_may_have_a_slash_in_its_name():
    rows = {"one": {"A": cell(0.5)}, "a/b": {"A": cell(0.25)}}
    (found,) = compared(table(("one/A", "a/b/A"), rows=("one", "a/b")), rows)
    assert found.difference.mean == 0.25
    result = TableResult(table(), "c", "0", (), "p", "q", (24,), rows, {}, {}, ())
    assert result.cell("a/b/A") is rows["a/b"]["A"]
    assert result.cell("one/AV") is None
