import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from replicate.corpus import load
from replicate.corpus.folds import folds
from replicate.corpus.synthetic import generate
from replicate.corpus.types import Corpus, Dialogue
from replicate.results import baselines as module
from replicate.results.baselines import LOGISTIC, MAJORITY, baselines, logistic, majority

SHARED = Path(os.environ.get("REPLICATE_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def corpus(labels, features, names=("no", "yes")):
    """One dialogue per split, of train, dev and test."""
    made = [
        Dialogue(split, np.zeros(len(own), np.int64), np.array(own), {"audio": np.array(rows, np.float32)}, split)
        for split, own, rows in zip(("train", "dev", "test"), labels, features, strict=True)
    ]
    return Corpus("c", names, tuple(made))


APART = corpus(
    ([0] * 6 + [1] * 2, [0], [1, 0]),
    ([[i / 6, 5] for i in range(6)] + [[9, 5]] * 2, [[0, 5]], [[9, 5], [1, 5]]),
)


def test_the_majority_class_is_that_of_train():
    assert np.exp(majority(APART)) == pytest.approx(np.array([[0.75, 0.25]] * 2))
    found = baselines([APART], ["A"], ["audio"])
    assert found[MAJORITY]["A"].scores("accuracy").tolist() == [[0.5]]


def test_a_constant_column_does_no_harm_and_probabilities_add_up():
    even = corpus(([0] * 4 + [1] * 4, [0], [1, 0]), ([[i, 5] for i in range(8)], [[0, 5]], [[6, 5], [1, 5]]))
    found = np.exp(logistic(even, ("audio",)))
    assert found.argmax(1).tolist() == [1, 0] and found.sum(1) == pytest.approx([1, 1])


def test_logistic_regression_agrees_with_scikit_learn_by_hand():
    made = generate("synthetic-tiny")
    x, y = {}, {}
    for split in ("train", "test"):
        x[split] = np.concatenate([np.hstack([d.features["audio"], d.features["visual"]]) for d in made.split(split)])
        y[split] = np.concatenate([d.labels for d in made.split(split)])
    mean, deviation = x["train"].mean(0, dtype=np.float64), x["train"].std(0, dtype=np.float64)
    model = LogisticRegression(C=0.1, max_iter=1000).fit((x["train"] - mean) / deviation, y["train"])
    by_hand = f1_score(y["test"], model.predict((x["test"] - mean) / deviation), average="weighted")
    cell = baselines([made], ["A", "AV"], ["audio"])[LOGISTIC]["AV"]
    assert cell.values == (pytest.approx(by_hand),) and cell.summary.n == 1


def test_dev_is_not_trained_on():
    made = generate("synthetic-tiny")
    other = replace(
        made, dialogues=tuple(replace(d, labels=0 * d.labels) if d.split == "dev" else d for d in made.dialogues)
    )
    np.testing.assert_array_equal(logistic(made, ("audio",)), logistic(other, ("audio",)))


def test_a_class_that_train_lacks_is_never_predicted():
    without = corpus(([0, 1], [0], [2]), ([[0.0], [1]], [[0]], [[1]]), ("no", "yes", "maybe"))
    assert np.exp(logistic(without, ("audio",)))[0] == pytest.approx([0.46, 0.54, 0], abs=0.05)
    single = corpus(([0, 0], [0], [1]), ([[0.0], [1]], [[0]], [[1]]))
    assert np.exp(logistic(single, ("audio",)))[0] == pytest.approx([1, 0])


def test_contexts_that_the_corpus_lacks_are_left_out_and_each_audio_stream_has_a_line():
    found = baselines([generate("synthetic-tiny")], ["A", "V", "T", "AV"], ["audio", "hubert"])
    assert {name: list(cells) for name, cells in found.items()} == {
        MAJORITY: ["A", "V", "AV"],
        LOGISTIC: ["A", "V", "AV"],
        f"{LOGISTIC}, hubert": ["A", "V", "AV"],
    }
    assert found[LOGISTIC]["A"].values != found[f"{LOGISTIC}, hubert"]["A"].values
    assert found[LOGISTIC]["V"].values == found[f"{LOGISTIC}, hubert"]["V"].values
    assert baselines([APART], ["V"], ["audio"]) == baselines([APART], ["A"], ["hubert"]) == {}


def test_each_fold_has_its_own_baseline():
    corpora = [fold.corpus for fold in folds(generate("synthetic-tiny"), "session")]
    cell = baselines(corpora, ["A"], ["audio"])[LOGISTIC]["A"]
    single = [baselines([each], ["A"], ["audio"])[LOGISTIC]["A"].values[0] for each in corpora]
    assert cell.values == tuple(single) and cell.folds == 5 and cell.summary.mean == pytest.approx(np.mean(single))


def test_a_regression_is_computed_once(monkeypatch):
    baselines([APART], ["A"], ["audio"])
    monkeypatch.setattr(module, "logistic", lambda *_: pytest.fail("computed again"))
    baselines([replace(APART, name="of another name")], ["A"], ["audio"])


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("iemocap/iemocap4_cogmen_selection.npz", {"A": 0.583, "T": 0.585, "AT": 0.693}),
        ("ravdess/ravdess4.npz", {"A": 0.587, "V": 0.723, "AV": 0.786}),
    ],
)
def test_real_corpora_score_as_measured_by_hand(file, expected):
    if not (SHARED / file).is_file():
        pytest.skip(f"no {SHARED / file}")
    found = baselines([load(SHARED / file)], list(expected), ["audio"])[LOGISTIC]
    scores = {context: cell.summary.mean for context, cell in found.items()}
    assert scores == pytest.approx(expected, abs=1e-3)
