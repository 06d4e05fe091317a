"""Predictions of an exported model: equal to the run's, independent of the batch, and without PyTorch."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.predictor import MAX_UTTERANCES, BadInput, DialogueFeatures, Predictor, _batches, read_csv, to_csv, to_json
from replicate.corpus import archive
from replicate.corpus.synthetic import generate
from tests.export.dialogues import random_dialogue, write_csv
from tests.export.without_torch import WITHOUT_TORCH


@pytest.fixture(scope="module")
def predictor(smoke_bundle):
    return Predictor(smoke_bundle.folder)


def test_predictions_are_those_of_the_run(predictor, smoke_bundle):
    from export.bundle.opening import open_run

    corpus = generate("synthetic-tiny")
    given = [DialogueFeatures(d.id, ["MF"[s] for s in d.speakers], d.features["audio"]) for d in corpus.split("test")]
    found = np.concatenate([p.probabilities for p in predictor.predict(given)])
    assert np.allclose(np.log(found), open_run(smoke_bundle.folder).log_prob("test", "A"), atol=1e-4)


def test_a_prediction_does_not_depend_on_the_other_dialogues_or_their_order(predictor):
    given = [random_dialogue(n, n, str(n)) for n in (7, 1, 30, 2, 400, 7, 90)]
    batch = predictor.predict(given)
    assert [p.id for p in batch] == [d.id for d in given]
    for dialogue, prediction in zip(given, batch, strict=True):
        alone = predictor(dialogue.features, dialogue.speakers)
        assert np.allclose(alone.probabilities, prediction.probabilities, atol=1e-5)
        assert prediction.emotions == [predictor.labels[i] for i in prediction.probabilities.argmax(1)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), max_size=30), st.integers(1, 600))
def test_batches_hold_every_dialogue_once_and_at_most_so_many_utterances(lengths, most):
    batches = _batches(lengths, most)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= most for batch in batches)
    ends = [sorted(lengths[i] for i in batch) for batch in batches]
    assert all(before[-1] <= after[0] for before, after in itertools.pairwise(ends))


def test_a_batch_is_as_large_as_it_may_be():
    assert _batches([4, 2, 2, 2, 9], 6) == [[1, 2, 3], [0], [4]]
    assert _batches([2, 1, 1], 1) == [[1], [2], [0]]


@pytest.mark.parametrize(
    "dialogue, message",
    [
        (DialogueFeatures("x", [], np.zeros((0, 12), "f4")), "dialogue x has no utterance"),
        (DialogueFeatures("x", ["M"], np.zeros(12, "f4")), "has no utterance"),
        (DialogueFeatures("dialogue", ["M"], np.zeros((1, 3), "f4")), "^the dialogue has 3 features"),
        (
            DialogueFeatures("x", ["M"], np.zeros((1, 13), "f4")),
            "13 features, but this model takes 12.*synthetic-tiny",
        ),
        (DialogueFeatures("x", ["M"], np.zeros((2, 12), "f4")), "1 speakers for 2 utterances"),
        (DialogueFeatures("x", ["M", "X"], np.zeros((2, 12), "f4")), "utterance 2: speaker 'X' is not one of M, F"),
        (
            DialogueFeatures("x", ["M"] * 3, np.full((3, 12), np.nan, "f4")),
            "utterance 1: feature 1 is not a finite number",
        ),
        (DialogueFeatures("x", ["M"], np.full((1, 12), 1e300)), "utterance 1: feature 1 is not a finite number"),
        (
            DialogueFeatures("x", ["M"] * 10_000, np.zeros((10_000, 12), "f4")),
            f"10000 utterances, more than {MAX_UTTERANCES}",
        ),
    ],
)
def test_invalid_input_is_named(predictor, dialogue, message):
    with pytest.raises(BadInput, match=message):
        predictor.predict([random_dialogue(3), dialogue])


def test_ten_thousand_utterances_in_dialogues_of_ordinary_length(predictor):
    found = predictor.predict([random_dialogue(100, i, str(i)) for i in range(100)])
    assert sum(len(p.probabilities) for p in found) == 10_000
    assert all(np.allclose(p.probabilities.sum(1), 1, atol=1e-5) for p in found)


def test_an_unavailable_provider_is_named(smoke_bundle):
    with pytest.raises(BadInput, match=r"no NoSuchProvider on this machine, only .*CPUExecutionProvider"):
        Predictor(smoke_bundle.folder, providers=["NoSuchProvider"])


def test_csv_input_and_output(predictor, tmp_path):
    given = [random_dialogue(3, 1, "first"), random_dialogue(5, 2, "second, of two")]
    given[1] = replace(given[1], id="second")
    write_csv(tmp_path / "x.csv", given)
    read = read_csv(tmp_path / "x.csv")
    assert [(d.id, list(d.speakers)) for d in read] == [(d.id, d.speakers) for d in given]
    found = predictor.predict(read)
    utterances = [utterance for prediction in found for utterance in prediction.utterances()]
    lines = to_csv(utterances).splitlines()
    assert lines[0] == "dialogue,utterance,speaker,start,end,label,happy,sad,neutral,angry" and len(lines) == 9
    content = json.loads(to_json(utterances))
    assert [(one["dialogue"], one["utterance"]) for one in content] == [
        *(("first", i) for i in (1, 2, 3)),
        *(("second", i) for i in (1, 2, 3, 4, 5)),
    ]
    last = lines[-1].split(",")
    assert last[:6] == ["second", "5", given[1].speakers[4], "", "", content[-1]["label"]]
    assert [float(value) for value in last[6:]] == list(content[-1]["probabilities"].values())


def test_the_predictor_and_the_command_do_not_import_torch(smoke_bundle, tmp_path):
    corpus = generate("synthetic-tiny")
    archive.write(corpus, tmp_path / "corpus.npz")
    code = WITHOUT_TORCH.replace("BLOCKED", "set()") + (
        "from export import Predictor; from replicate.cli import main\n"
        f"assert Predictor({str(smoke_bundle.folder)!r}).labels\n"
        f"main(['predict', {str(smoke_bundle.folder)!r}, {str(tmp_path / 'corpus.npz')!r}, '--csv'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + sum(map(len, corpus.dialogues))


def test_the_script_in_a_bundle_needs_numpy_and_onnxruntime_only(smoke_bundle, tmp_path):
    given = [random_dialogue(4, 1, "first")]
    write_csv(tmp_path / "x.csv", given)
    code = WITHOUT_TORCH.replace("BLOCKED", '{"replicate", "export", "scipy", "click"}') + (
        f"import runpy; sys.argv = ['predict.py', {str(tmp_path / 'x.csv')!r}]\n"
        f"runpy.run_path({str(smoke_bundle.folder / 'predict.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    (expected,) = Predictor(smoke_bundle.folder).predict(given)
    assert done.stdout == to_csv(expected.utterances()), done.stderr
    (tmp_path / "x.csv").write_text("nonsense")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_features_that_overflow_are_named(predictor):
    dialogue = random_dialogue(5)
    dialogue.features[2, 3] = 1e30
    with pytest.raises(BadInput, match=r"as large as 1e\+30"):
        predictor.predict([random_dialogue(3), replace(dialogue, id="big")])


def test_a_quantised_prediction_does_not_depend_on_the_other_dialogues(smoke_bundle):
    quantised = Predictor(smoke_bundle.folder, int8=True)
    loud = random_dialogue(9, 1, "loud")
    loud.features[0, 0] = 1e4
    alone, batch = quantised.predict([random_dialogue(7)])[0], quantised.predict([random_dialogue(7), loud])[0]
    assert (alone.probabilities == batch.probabilities).all()
