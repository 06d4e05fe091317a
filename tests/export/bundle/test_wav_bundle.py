"""Bundles of models on acoustic functionals: what is in them, and that their checks find what is wrong."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundle import bundle, opening
from export.bundle_files import STREAM, WAV, WAV_STREAM
from export.model_file import Model
from export.onnx import save
from export.predictor import Predictor
from export.validate.check import Wrong
from export.validate.waveform import _portable, run_waveform_checks
from replicate.errors import BadBundle
from replicate.features.acoustic import VERSION, AcousticExtractor
from tests.export.conftest import ACOUSTIC
from tests.recordings import tone


def test_a_bundle_has_the_model_from_waveforms(wav_bundle):
    assert {WAV, WAV_STREAM, STREAM} <= {path.name for path in wav_bundle.folder.iterdir()}
    assert [check for check in wav_bundle.checks if check.passed is not True] == []
    assert sum("against PyTorch" in check.name for check in wav_bundle.checks) == 2
    assert all(check.passed for check in opening.open_models(wav_bundle.folder))
    for path in wav_bundle.folder.glob("*.onnx"):
        domains = {one.domain for one in onnx.load(path).opset_import}
        assert "com.microsoft" not in domains or path.name == "model.int8.onnx"


def test_waveforms_give_what_their_features_give(wav_bundle):
    """Python's extractor and the predictor, one after the other, against the file that has both."""
    signals = [tone(0.4), tone(1.0, hertz=330), tone(0.05)]
    columns = AcousticExtractor().recipe["columns"]
    features = AcousticExtractor()(signals)[:, [columns.index(name) for name in ACOUSTIC]]
    expected = Predictor(wav_bundle.folder)(features, ["M", "F", "M"]).probabilities
    samples, speaker = np.array(list(map(len, signals))), np.array([0, 1, 0])
    wave = np.zeros((3, samples.max()), np.float32)
    for row, signal in zip(wave, signals, strict=True):
        row[: len(signal)] = signal
    whole = Model(wav_bundle.folder / WAV, wave=True)
    found, made = whole.run({"waveform": wave, "samples": samples, "speaker": speaker})
    assert np.allclose(found, expected, rtol=0, atol=1e-4) and np.allclose(made, features, rtol=0, atol=1e-4)
    steps = Model(wav_bundle.folder / WAV_STREAM, stream=True, wave=True)
    state = np.zeros(steps.metadata["state"], np.float32)
    for i, signal in enumerate(signals):
        given = {"waveform": signal[None], "samples": samples[i : i + 1], "speaker": speaker[i : i + 1]}
        found, state, _ = steps.run(given | {"state": state})
        assert np.allclose(found[0], expected[i], rtol=0, atol=1e-4)


def test_the_files_for_waveforms_are_hardly_larger(wav_bundle):
    size = {path.name: path.stat().st_size for path in wav_bundle.folder.glob("*.onnx")}
    assert size[WAV] - size["model.onnx"] < 1e5 and size[WAV_STREAM] - size[STREAM] < 1e5


def test_features_of_another_version_have_no_file_for_waveforms(acoustic_run):
    corpus = acoustic_run.record.corpus
    for recipe in (
        corpus.recipes["audio"] | {"version": VERSION + 1},
        corpus.recipes["audio"] | {"extractor": "opensmile"},
        None,
    ):
        recipes = {} if recipe is None else {"audio": recipe}
        other = replace(acoustic_run.record, corpus=replace(corpus, recipes=recipes))
        assert not save.takes_waveforms(replace(acoustic_run, record=other))
    assert save.takes_waveforms(acoustic_run)


@pytest.mark.parametrize("name", [WAV, WAV_STREAM])
def test_a_file_that_computes_something_else_fails_its_checks(
    wav_bundle, acoustic_run, acoustic_corpus, name, tmp_path
):
    path, stream = tmp_path / name, name == WAV_STREAM
    model = onnx.load(wav_bundle.folder / name)
    window = next(one for one in model.graph.initializer if list(one.dims) == [400])
    window.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(window)[::-1] * 0.9, window.name))
    onnx.save(model, path)
    wrong = {
        one.name: one.found
        for one in run_waveform_checks(path, acoustic_run, acoustic_corpus, stream)
        if not one.passed
    }
    assert [key.rpartition(":")[0] or key for key in wrong] == [f"waveforms{', stream' * stream} against PyTorch"]


def test_operators_of_onnxruntime_are_found(wav_bundle, tmp_path):
    path = tmp_path / WAV
    model = onnx.load(wav_bundle.folder / WAV)
    onnx.save(model, path)
    assert _portable(path) == "opset 18"
    next(node for node in model.graph.node if node.op_type == "LayerNormalization").domain = "com.microsoft"
    onnx.save(model, path)
    with pytest.raises(Wrong, match=r"operators of com\.microsoft"):
        _portable(path)


def test_check_bundle_checks_them_and_finds_a_missing_one(wav_bundle, acoustic_corpus, tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(wav_bundle.folder, folder)
    found = bundle.check(folder, acoustic_corpus)
    assert all(check.passed for check in found) and any(check.name == "waveforms against PyTorch" for check in found)
    sums = json.loads((folder / "checksums.json").read_text())
    del sums[WAV]
    (folder / "checksums.json").write_text(json.dumps(sums))
    with pytest.raises(BadBundle, match=r"does not list model\.wav\.onnx"):
        bundle.check(folder, acoustic_corpus)
