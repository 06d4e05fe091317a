"""Extractor and model in one graph, against torch's extractor and model one after the other."""

import numpy as np
import pytest
import torch

from export.onnx import streaming_graph, waveform_graph
from export.onnx.session import torch_outputs
from replicate.features.acoustic import Acoustic, columns

from .runtimes import Onnxruntime, OpenVino, Reference
from .test_acoustic_graph import batch
from .test_dialogue_graph import speech
from .test_streaming_graph import causal

SOME = [columns()[i] for i in (150, 3, 77, 12)]
RUNTIMES = pytest.mark.parametrize("runtime", [Onnxruntime, OpenVino, Reference], ids=lambda one: one.__name__)


def expected(model, names, wave, samples, speaker):
    """Features and probabilities of one dialogue."""
    with torch.no_grad():
        found = Acoustic().eval()(torch.from_numpy(wave), torch.from_numpy(samples)).numpy()
    features = found[:, [columns().index(name) for name in names]]
    inputs = {"audio": features[None], "speaker": speaker[None], "length": np.array([len(speaker)])}
    return torch_outputs(model, inputs)[0], features


@RUNTIMES
@pytest.mark.parametrize("names", [columns(), SOME], ids=["all", "some"])
def test_a_dialogue_from_waveforms(names, runtime, tmp_path):
    model = speech(features=len(names), scaled=True)
    run = runtime(waveform_graph.build(model, names), tmp_path / "model.wav.onnx")
    for lengths, speaker in [((9_000,), [1]), ((700, 9_000, 40, 5_000), [0, 1, 0, 0])]:
        wave, samples = batch(*lengths)
        given = {"waveform": wave, "samples": samples, "speaker": np.array(speaker)}
        for found, wanted in zip(
            run.run(None, given), expected(model, names, wave, samples, given["speaker"]), strict=True
        ):
            assert np.allclose(found, wanted, rtol=0, atol=1e-4)


@RUNTIMES
def test_a_stream_of_waveforms(runtime, tmp_path):
    model = causal(features=len(SOME), scaled=True, memory=2)
    run = runtime(waveform_graph.build_stream(model, SOME), tmp_path / "model.wav.stream.onnx")
    wave, samples = batch(700, 9_000, 40, 5_000)
    speaker = np.array([0, 1, 1, 0])
    probability, features = expected(model, SOME, wave, samples, speaker)
    state = np.zeros(streaming_graph.state_size(model.model.config), np.float32)
    for i, length in enumerate(samples):
        own = {"waveform": wave[i : i + 1, :length], "samples": samples[i : i + 1], "speaker": speaker[i : i + 1]}
        ours, state, made = run.run(None, own | {"state": state})
        assert np.allclose(ours[0], probability[i], rtol=0, atol=1e-4)
        assert np.allclose(made[0], features[i], rtol=0, atol=1e-4)
