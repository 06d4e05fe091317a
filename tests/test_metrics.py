import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from replicate import metrics
from replicate.errors import InvalidArgument
from replicate.training import metrics as training

LABELS = ("angry", "happy", "sad")


def log_prob(*rows):
    return np.log(np.array(rows))


# Two dialogues of two utterances and one of one: 0 -> 0, 0 -> 1, 1 -> 1, 2 -> 1, 2 -> 2.
TRUE = [0, 0, 1, 2, 2]
SCORES = log_prob([0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.25, 0.5, 0.25], [0.1, 0.7, 0.2], [0.0625, 0.0625, 0.875])


def test_the_statistics_of_dialogues_add_up_to_those_of_all():
    single = metrics.by_dialogue(TRUE, SCORES, [2, 2, 1], 3)
    assert single.shape == (3, metrics.statistics_width(3)) and single.dtype == np.float64
    assert metrics.confusion(single).tolist() == [
        [[1, 1, 0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 1, 0], [0, 1, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 1]],
    ]
    np.testing.assert_allclose(single.sum(0), metrics.by_dialogue(TRUE, SCORES, [5], 3)[0])


def test_scores_by_hand():
    found = metrics.by_dialogue(TRUE, SCORES, [5], 3)
    assert metrics.f1_by_class(found).tolist() == [[2 / 3, 1 / 2, 2 / 3]]
    assert metrics.weighted_f1(found) == pytest.approx([(2 * 2 / 3 + 1 / 2 + 2 * 2 / 3) / 5])
    assert metrics.accuracy(found) == pytest.approx([3 / 5])
    assert metrics.unweighted_recall(found) == pytest.approx([(1 / 2 + 1 + 1 / 2) / 3])
    assert metrics.macro_f1(found) == pytest.approx([(2 / 3 + 1 / 2 + 2 / 3) / 3])
    # Each utterance is alone in its bin.
    assert metrics.calibration_error(found) == pytest.approx([(0.2 + 0.6 + 0.5 + 0.7 + 0.125) / 5])


def test_utterances_of_one_bin_share_their_error():
    # Two predictions of 0.9, one right and one wrong: the bin is right in a half.
    found = metrics.by_dialogue([0, 1], log_prob([0.9, 0.1], [0.9, 0.1]), [2], 2)
    assert metrics.calibration_error(found) == pytest.approx([0.4])


def test_the_edge_of_a_bin_belongs_to_the_lower_bin_and_certainty_to_the_last():
    found = metrics.by_dialogue([0, 0], np.array([[0.0, -800.0], [np.log(0.8), np.log(0.2)]]), [1, 1], 2)
    counts = found[:, 4 : 4 + metrics.BINS]
    assert counts.argmax(1).tolist() == [14, 11] and counts.sum() == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30), st.data())
def test_scores_agree_with_scikit_learn(pairs, data):
    true, predicted = map(np.array, zip(*pairs, strict=True))
    cut = data.draw(st.integers(0, len(true)))
    scores = np.where(np.arange(4) == predicted[:, None], np.log(0.7), np.log(0.1))
    found = metrics.by_dialogue(true, scores, [cut, len(true) - cut], 4).sum(0)
    assert metrics.weighted_f1(found) == pytest.approx(f1_score(true, predicted, average="weighted", zero_division=0))
    assert metrics.accuracy(found) == pytest.approx(accuracy_score(true, predicted))
    assert metrics.macro_f1(found) == pytest.approx(f1_score(true, predicted, average="macro", zero_division=0))
    recall = recall_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
    assert metrics.unweighted_recall(found) == pytest.approx(recall)
    by_class = f1_score(true, predicted, labels=range(4), average=None, zero_division=0)
    assert metrics.f1_by_class(found) == pytest.approx(by_class)
    assert metrics.calibration_error(found) == pytest.approx(abs(0.7 - accuracy_score(true, predicted)))


def test_metrics_map_whole_arrays_of_statistics():
    single = metrics.by_dialogue(TRUE, SCORES, [2, 2, 1], 3)
    stacked = np.stack([single, single[::-1]])
    for name in metrics.all_names(LABELS):
        function = metrics.metric(name, LABELS)
        assert function(stacked).shape == (2, 3)
        assert (
            function(stacked)[0].tolist()
            == [float(function(each)) for each in single]
            == function(stacked)[1][::-1].tolist()
        )


def test_a_dialogue_without_utterances_scores_nothing():
    empty = np.zeros(metrics.statistics_width(3))
    assert {float(function(empty)) for function in metrics.METRICS.values()} == {0}


def test_the_f1_of_a_class_is_found_by_its_name():
    found = metrics.by_dialogue(TRUE, SCORES, [5], 3)
    assert metrics.metric("f1:happy", LABELS)(found) == [1 / 2]
    assert metrics.title("f1:happy") == "F1 of happy" and metrics.title("ua") == "unweighted recall (UA)"
    with pytest.raises(InvalidArgument, match="unknown metric 'f1:hapy': did you mean f1:happy"):
        metrics.metric("f1:hapy", LABELS)


def test_the_metric_that_chooses_epochs_is_the_one_of_tables():
    labels, scores = [0, 0, 1, 2, 2, 2, 1], log_prob(*np.eye(3)[[0, 1, 1, 2, 0, 2, 2]] * 0.7 + 0.1)
    statistics = metrics.by_dialogue(labels, scores, [7], 3)
    assert metrics.weighted_f1(statistics) == pytest.approx([training.weighted_f1(labels, scores)])
    weights = np.bincount(labels)
    assert np.average(metrics.f1_by_class(statistics)[0], weights=weights) == pytest.approx(
        training.weighted_f1(labels, scores)
    )
