import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from export import check, onnx_file
from export.check import session
from export.onnx_file import write
from export.select import best_speech_run
from export.speech import SpeechModel
from replicate import errors
from replicate.corpus.synthetic import generate
from replicate.training.metrics import weighted_f1


def test_inputs_outputs_and_dynamic_axes(smoke_model):
    graph = onnx.load(smoke_model[1]).graph
    axes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert axes["audio"] == ["batch", "utterances", 12]
    assert axes["speaker"] == ["batch", "utterances"] and axes["length"] == ["batch"]
    assert axes["probability"][2] == 4 and all(isinstance(axis, str) for axis in axes["probability"][:2])


def test_one_file_that_says_what_it_is(smoke_model):
    choice, path, difference = smoke_model
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    about = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert about["run"] == choice.run.record["key"]
    assert json.loads(about["labels"]) == ["happy", "sad", "neutral", "angry"]
    assert difference < check.TOLERANCE


@pytest.mark.parametrize("arm", ["COGMEN-AV", "COGMEN-Mask"])
def test_a_model_trained_on_video_takes_audio_alone(smoke_results, runs, arm, tmp_path):
    choice = replace(best_speech_run(smoke_results), run=runs[arm])
    write(choice, tmp_path / "model.onnx")
    runner = session(tmp_path / "model.onnx")
    corpus = generate("synthetic-tiny")
    rows = [
        runner.run(
            None, {"audio": d.features["audio"][None], "speaker": d.speakers[None], "length": np.array([len(d)])}
        )[0][0]
        for d in corpus.split("test")
    ]
    labels = runs[arm].labels("test")
    assert np.allclose(np.log(np.concatenate(rows)), runs[arm].log_prob("test", "A"), atol=1e-4)
    assert weighted_f1(labels, np.concatenate(rows)) == weighted_f1(labels, runs[arm].log_prob("test", "A"))


def test_a_model_that_computes_something_else_leaves_no_file(smoke_results, tmp_path, monkeypatch):
    class Wrong(SpeechModel):
        def forward(self, audio, speaker, length):
            return super().forward(audio, speaker, length) * 1.001

    real = SpeechModel
    monkeypatch.setattr(onnx_file, "SpeechModel", lambda *a: real(*a) if "reference" in a else Wrong(*a))
    (tmp_path / "model.onnx").write_text("what stood here before")
    with pytest.raises(errors.ExportFailed, match=r"more than 0.0001 for lengths 1: .*lengths 110: "):
        write(best_speech_run(smoke_results), tmp_path / "model.onnx")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["what stood here before"]
