"""The temperature: hand-computed and recovered, folded into the files, and 1 where dev is too small."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from export.bundle import bundle
from export.bundle.select import choose
from export.onnx import fitted, save
from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import build
from export.onnx.fitted import BOUNDS, Fitted, fit_temperature, of_file
from export.onnx.session import torch_outputs
from export.validate.dialogue import example, run_checks
from replicate.corpus.synthetic import generate
from replicate.store.predictions import score
from tests.export.onnx.test_dialogue_graph import speech


def drawn(temperature, count=4000, classes=4, seed=0):
    """Logits and labels drawn from their softmax at a temperature."""
    draws = np.random.default_rng(seed)
    logits = 3 * draws.standard_normal((count, classes))
    return logits, (logits / temperature + draws.gumbel(size=logits.shape)).argmax(1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_recovered(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.1)


def test_a_temperature_solved_by_hand():
    # Three of four right at a logit of 1: the probability must be 3 / 4, so 1 / T = log 3.
    logits = np.array([[1.0, 0.0]] * 4)
    assert fit_temperature(logits, [0, 0, 0, 1]) == pytest.approx(1 / np.log(3), abs=2e-4)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.3, 5), st.floats(-5, 5))
def test_a_temperature_scales_with_the_logits_and_ignores_their_shift(seed, scale, shift):
    logits, labels = drawn(1.0, 200, 3, seed)
    expected = np.clip(scale * fit_temperature(logits, labels), *BOUNDS)
    assert fit_temperature(scale * logits + shift, labels) == pytest.approx(expected, rel=2e-3)


def test_perfect_and_useless_predictions_stay_within_the_bounds():
    logits = np.eye(3)[[0, 1, 2] * 20]
    assert fit_temperature(logits, [0, 1, 2] * 20) == pytest.approx(BOUNDS[0], rel=1e-3)
    assert fit_temperature(logits, [1, 2, 0] * 20) == pytest.approx(BOUNDS[1], rel=1e-3)


def test_the_calibration_error_is_that_computed_by_hand_and_falls():
    # Bins of 1/15: 0.9 in one (half of them right), 0.55 in another (all right).
    log_prob = np.log([[0.9, 0.1], [0.9, 0.1], [0.55, 0.45], [0.55, 0.45]])
    assert score("ece", [0, 1, 0, 0], log_prob, ["a", "b"]) == pytest.approx((0.8 + 2 * 0.45) / 4)
    logits, labels = drawn(3.0)
    after = logits / fit_temperature(logits, labels)
    before, after = (score("ece", labels, log_softmax(x, axis=1), list("abcd")) for x in (logits, after))
    assert before > 0.1 and after < 0.03


@pytest.mark.parametrize("options", [{}, {"decoupled": 5}, {"hallucinated": 7}])
def test_the_graph_divides_the_logits_by_the_temperature(options):
    plain = speech(**options)
    warm = SpeechModel(plain.model, {} | scaling_of(plain), "reference", 2.5)
    inputs = example((7, 2), plain)
    session = onnxruntime.InferenceSession(build(warm).SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, inputs)
    before = torch_outputs(plain, inputs)
    real = before.sum(-1) > 0
    expected = np.exp(log_softmax(np.log(before[real]) / 2.5, axis=-1))
    assert np.abs(found[real] - expected).max() < 1e-6 and np.abs(torch_outputs(warm, inputs) - found).max() < 1e-6
    assert (found.argmax(-1) == before.argmax(-1)).all() and (found[~real] == 0).all()


def scaling_of(model):
    from replicate.training.data import Scale

    return {"audio": Scale(model.mean.numpy(), model.deviation.numpy())}


@pytest.fixture
def any_dev(monkeypatch):
    """The dev split of the smallest corpus is large enough."""
    monkeypatch.setattr(fitted, "LEAST", 5)


def test_a_bundle_carries_the_temperature_of_dev(causal_results, tmp_path, any_dev):
    choice, corpus = choose(causal_results, "COGMEN-Mask-causal"), generate("synthetic-tiny")
    written = bundle.write(choice, corpus, tmp_path / "b")
    assert all(check.passed for check in written.checks)
    found = {of_file(path).temperature for path in (tmp_path / "b").glob("*.onnx")}
    assert len(found) == 1 and found != {1.0} and (tmp_path / "b" / "model.stream.onnx").exists()
    assert all(check.passed for check in bundle.check(tmp_path / "b", corpus))
    labels, log_prob = choice.run.labels("dev"), choice.run.log_prob("dev", "A")
    assert found.pop() == pytest.approx(fit_temperature(log_prob, labels), rel=1e-3)
    card = (tmp_path / "b" / "README.md").read_text()
    assert "The logits are divided by a temperature of" in card and "changes weighted F1 on dev by" in card


def test_another_temperature_is_named_where_the_corpus_is_here(runs, tmp_path, any_dev):
    run, corpus = runs["COGMEN-A"], generate("synthetic-tiny")
    save.write(run, corpus.speakers, tmp_path / "model.onnx", fitted=Fitted(7.0))
    found = {check.name: check for check in run_checks(tmp_path / "model.onnx", run, corpus)}
    assert [name for name, check in found.items() if check.passed is False] == ["temperature and range"]
    assert found["temperature and range"].found.startswith("temperature 7 instead of ")
    model = onnx.load(tmp_path / "model.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, about | {"temperature": json.dumps(2.0)})
    onnx.save(model, tmp_path / "model.onnx")
    found = {check.name: check.passed for check in run_checks(tmp_path / "model.onnx", run, None)}
    assert found["onnxruntime against torch_geometric"] is False


def test_another_range_is_named_where_the_corpus_is_here(runs, tmp_path):
    run, corpus = runs["COGMEN-A"], generate("synthetic-tiny")
    own = fitted.fit(run, corpus)
    wide = own.range | {"scale": [2 * one for one in own.range["scale"]]}
    save.write(run, corpus.speakers, tmp_path / "model.onnx", fitted=Fitted(own.temperature, wide))
    found = {check.name: check for check in run_checks(tmp_path / "model.onnx", run, corpus)}
    assert [name for name, check in found.items() if check.passed is False] == ["temperature and range"]
    assert found["temperature and range"].found == "the range of features is not the one of the training"


def test_a_small_dev_split_gives_no_temperature(runs):
    corpus = generate("synthetic-tiny")
    assert 0 < sum(map(len, corpus.split("dev"))) < fitted.LEAST
    assert fitted.fit(runs["COGMEN-A"], corpus).temperature == 1.0
    none = replace(corpus, dialogues=tuple(one for one in corpus.dialogues if one.split != "dev"))
    assert fitted.fit(runs["COGMEN-A"], none).temperature == 1.0


def test_a_file_of_an_earlier_version_has_the_temperature_one(runs, tmp_path):
    save.write(runs["COGMEN-A"], ("M", "F"), tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props if entry.key not in Fitted().entries()}
    onnx.helper.set_model_props(model, about)
    onnx.save(model, tmp_path / "model.onnx")
    assert of_file(tmp_path / "model.onnx") == Fitted()
    assert {c.name: c.passed for c in run_checks(tmp_path / "model.onnx", runs["COGMEN-A"], None)}["metadata"]
    with torch.no_grad():
        assert SpeechModel(runs["COGMEN-A"].model(), runs["COGMEN-A"].scaling()).temperature == 1.0
