"""The card's section on probabilities: what it states is what is measured."""

from dataclasses import replace

import numpy as np
import pytest

from export.bundle import confidence
from export.bundle.opening import open_run
from export.predictor import DialogueFeatures, Predictor
from export.scores import weighted_f1
from replicate.corpus.synthetic import generate


@pytest.fixture(scope="module")
def corpus():
    return generate("synthetic-tiny")


def test_the_calibration_error_before_is_that_of_the_run(smoke_bundle, corpus):
    run, model = open_run(smoke_bundle.folder), smoke_bundle.folder / "model.onnx"
    lines = confidence.section(run, corpus, model).splitlines()
    cells = {line.split("|")[1].strip(): line.split("|")[2:4] for line in lines if line.startswith("| ")}
    for split in ("dev", "test"):
        assert float(cells[split][0]) == pytest.approx(run.score("ece", "A", split), abs=1.5e-3)
        assert cells[split][0] == cells[split][1]  # dev is too small for a temperature
    assert "not calibrated: dev has fewer than 30 utterances" in lines[0]


def test_a_wrong_mapping_is_measured_with_every_speaker_replaced(smoke_bundle, corpus):
    run, predictor = open_run(smoke_bundle.folder), Predictor(smoke_bundle.folder)
    dev = corpus.split("dev")
    given = [DialogueFeatures(d.id, ["FM"[i] for i in d.speakers], d.features["audio"]) for d in dev]
    found = np.concatenate([one.probabilities for one in predictor.predict(given)])
    expected = weighted_f1(np.concatenate([d.labels for d in dev]), found, corpus.labels)
    text = confidence.mapping(run, corpus, smoke_bundle.folder / "model.onnx")
    change = expected - run.f1("A", "dev")
    assert (
        f"by {change:+.3f}: {expected:.3f} instead of {run.f1('A', 'dev'):.3f}" in text
        and "two speakers swapped" in text
    )


def test_speakers_rotate_and_one_alone_cannot_be_mixed_up(smoke_bundle, corpus):
    three = replace(corpus, speakers=("a", "b", "c"))
    again = confidence.rotated(confidence.rotated(confidence.rotated(three)))
    assert all(
        (one.speakers == other.speakers).all() for one, other in zip(three.dialogues, again.dialogues, strict=True)
    )
    once = confidence.rotated(three).dialogues[0].speakers
    assert (once == (three.dialogues[0].speakers + 1) % 3).all()
    silent = tuple(replace(one, speakers=np.zeros_like(one.speakers)) for one in corpus.dialogues)
    alone = replace(corpus, speakers=("a",), dialogues=silent)
    run = open_run(smoke_bundle.folder)
    assert "knows one speaker" in confidence.mapping(run, alone, smoke_bundle.folder / "model.onnx")


def test_the_share_of_test_that_is_far_is_stated(smoke_bundle, corpus):
    run, model = open_run(smoke_bundle.folder), smoke_bundle.folder / "model.onnx"
    loud = tuple(
        replace(one, features=one.features | {"audio": 20 + 3 * one.features["audio"]}) for one in corpus.dialogues
    )
    count = len(corpus.split("test"))
    assert f"; {count} of the {count} dialogues of test do" in confidence.outside(
        run, replace(corpus, dialogues=loud), model
    )
