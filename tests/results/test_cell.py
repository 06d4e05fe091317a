from dataclasses import replace

import numpy as np
import pytest

from replicate.errors import InvalidArgument
from replicate.metrics import BINS, accuracy
from replicate.results.cell import Cell, RowRuns
from replicate.results.estimate import estimate
from tests import planted
from tests.small_runs import TEACHER, of


def counted(*seeds):
    """A cell whose dialogues have these confusion counts; the first two are fold 0, the third is fold 1."""
    counts = np.array(seeds, np.float64).reshape(len(seeds), 3, 4)
    statistics = np.concatenate([counts, np.zeros((*counts.shape[:2], 3 * BINS))], -1)
    runs = tuple(f"{seed}{fold}" for seed in range(len(seeds)) for fold in range(2))
    return Cell(statistics, np.array([0, 0, 1]), ("a", "b", "c"), ("no", "yes"), runs)


# All right in fold 0; in fold 1 one of each class, both called "no".
FIRST = [[[2, 0], [0, 1]], [[1, 0], [0, 0]], [[1, 0], [1, 0]]]
# One of four right in fold 0, all right in fold 1.
SECOND = [[[1, 1], [1, 0]], [[0, 1], [0, 0]], [[1, 0], [0, 1]]]


def test_a_score_is_computed_within_each_fold():
    cell = counted(FIRST, SECOND)
    assert cell.folds == 2
    assert cell.scores("accuracy").tolist() == [[1, 0.5], [0.25, 1]]
    assert cell.scores("ua").tolist() == [[1, 0.5], [pytest.approx(1 / 6), 1]]
    assert cell.scores("f1:no").tolist() == [[1, pytest.approx(2 / 3)], [0.4, 1]]


def test_values_are_in_the_order_of_the_runs_and_the_summary_is_of_all():
    cell = counted(FIRST, SECOND).of("accuracy")
    assert cell.runs == ("00", "01", "10", "11") and cell.values == (1, 0.5, 0.25, 1)
    assert (cell.summary.mean, cell.summary.n) == (0.6875, 4)
    assert cell.by_class[:2] == ((1, 1), (pytest.approx(2 / 3), 0))


def test_the_paper_s_number_is_judged_as_weighted_f1_alone():
    made = counted(FIRST, SECOND)
    cell = Cell(made.statistics, made.fold, made.dialogues, made.labels, made.runs, published=0.5, comparable=True)
    assert cell.verdict == "inside" and cell.of("ua").verdict is None


def test_an_unknown_metric_is_refused():
    with pytest.raises(InvalidArgument, match="did you mean f1:yes"):
        counted(FIRST).scores("f1:yess")


def test_a_cell_without_a_run_has_no_mean():
    cell = Cell.unmeasured(0.5, None, ("no", "yes"))
    assert (cell.values, cell.by_class, cell.published, cell.folds) == ((), (), 0.5, 0)
    assert np.isnan(cell.summary.mean) and (cell.summary.n, cell.verdict) == (0, None)


def test_runs_give_statistics_of_their_test_dialogues(store, corpus):
    keys = [planted.put(store, of(TEACHER, seed), corpus, {"test": seed - 24}) for seed in (24, 26)]
    cell = Cell.of_runs(RowRuns(tuple(map(store.get, keys)), 1, frozenset({"t"})), "AV", metric="accuracy")
    assert cell.statistics.shape[:2] == (2, 2) and cell.statistics[..., :4].sum(-1).tolist() == [[2, 3], [2, 3]]
    assert cell.dialogues == ("test5", "test6") and cell.fold.tolist() == [0, 0]
    assert cell.runs == tuple(keys) and cell.teachers == {"t"} and cell.labels == corpus.labels
    assert cell.values == pytest.approx((1, 3 / 5))


def test_runs_of_a_seed_are_its_folds(store, corpus):
    runs = [store.get(planted.put(store, of(TEACHER, seed), corpus, {"test": seed - 24})) for seed in (24, 25)]
    cell = Cell.of_runs(RowRuns(tuple(runs), 2), "A", metric="accuracy")
    assert cell.statistics.shape[:2] == (1, 4) and cell.fold.tolist() == [0, 0, 1, 1]
    assert cell.scores("accuracy").tolist() == [[1, pytest.approx(4 / 5)]]


@pytest.mark.parametrize(
    ("ids", "groups"),
    [
        (("actor01_0", "actor02_0"), (0, 1)),
        (("actor01_0", "actor01_1"), (0, 0)),
        (("Ses05F_impro01", "Ses05M_impro01"), (0, 0)),  # both actors of a session are in all its dialogues
        (("test5", "test6"), ()),  # M and F may be anybody
    ],
)
def test_the_speakers_of_test_dialogues_are_known_from_their_ids(store, corpus, ids, groups):
    renamed = iter(ids)
    dialogues = tuple(replace(each, id=next(renamed)) if each.split == "test" else each for each in corpus.dialogues)
    run = store.get(planted.put(store, of(TEACHER, 24), replace(corpus, dialogues=dialogues)))
    assert Cell.of_runs(RowRuns((run,)), "A").groups == groups


def test_a_cell_resamples_speakers_with_all_their_dialogues():
    counts = np.random.default_rng(0).integers(0, 9, (3, 12, 4)).astype(float)
    statistics = np.concatenate([counts, np.zeros((3, 12, 3 * BINS))], -1)
    cell = Cell(statistics, np.zeros(12, int), tuple("abcdefghijkl"), ("no", "yes"), ("0", "1", "2"))
    speakers = replace(cell, groups=tuple(i // 2 for i in range(12)))
    assert (cell.resampled.by_speaker, speakers.resampled.by_speaker) == (False, True)
    assert speakers.resample(accuracy).influence.shape == (3, 6)
    assert speakers.summary.mean == cell.summary.mean
    found = estimate([(speakers, 1.0)])
    assert (found.dialogues, found.by_speaker) == (6, True) and found.by_dialogues.df <= 5
