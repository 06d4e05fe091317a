"""From waveforms to probabilities with the package's bundle, and portable graphs of the paper's size: `make bench`.

Processor time of one thread; files are opened as ``Predictor`` opens them.
"""

import time
from functools import partial
from statistics import median

import numpy as np
import pytest

from export.bundle_files import WAV, WAV_STREAM
from export.demo.shipped import BUNDLE
from export.model_file import Model
from export.onnx.dialogue_graph import build
from export.onnx.session import options
from export.validate.dialogue import example
from replicate.features.audio import RATE

from .test_latency import speech

pytestmark = pytest.mark.bench


def voice(seconds):
    time_ = np.arange(round(RATE * seconds), dtype=np.float32) / RATE
    return (0.1 * np.sin(2 * np.pi * (150 + 30 * np.sin(3 * time_)) * time_)).astype(np.float32)[None]


def milliseconds(run, calls=50):
    found = []
    for _ in range(calls):
        before = time.process_time()
        run()
        found.append(1e3 * (time.process_time() - before))
    return median(found)


def given(model, wave):
    found = {"waveform": wave, "samples": np.array([wave.shape[1]]), "speaker": np.array([0])}
    return found | ({"state": np.zeros(model.metadata["state"], np.float32)} if "state" in model.metadata else {})


def test_an_utterance_takes_at_most_a_twentieth_of_its_duration():
    model = Model(BUNDLE / WAV, wave=True)
    inputs = given(model, voice(3))
    found = milliseconds(lambda: model.run(inputs))
    print(f"\nan utterance of 3 s: {found:.1f} ms, 1/{3000 / found:.0f} of its duration")
    assert found < 3000 / 20


@pytest.mark.parametrize("seconds", [1, 3, 6, 15])
def test_a_stream_answers_within_10_ms_of_an_utterances_end(seconds):
    model = Model(BUNDLE / WAV_STREAM, stream=True, wave=True)
    inputs = given(model, voice(seconds))
    found = milliseconds(lambda: model.run(inputs))
    print(f"\nan utterance of {seconds} s in a stream: {found:.1f} ms")
    assert found < 10


@pytest.mark.parametrize("lengths", [(10,), (30,), (110,), (500,), (1000,), (30,) * 8], ids=str)
@pytest.mark.parametrize("causal", [False, True], ids=["whole", "causal"])
def test_portable_graphs_take_at_most_1_3_times_as_long(lengths, causal):
    import onnxruntime

    model = speech("reference", **({"causal": True, "past": 0} if causal else {}))
    inputs, found = example(lengths, model), []
    runners = [
        onnxruntime.InferenceSession(build(model, portable).SerializeToString(), options(1))
        for portable in (False, True)
    ]
    for _ in range(max(7, 600 // max(lengths))):  # alternating, so that both meet the same machine
        found.append([milliseconds(partial(runner.run, None, inputs), 1) for runner in runners])
    fast, portable = np.median(found, axis=0)
    print(f"\n{len(lengths)} x {max(lengths)}: {fast:.2f} and {portable:.2f} ms, {portable / fast:.2f}")
    assert portable < 1.3 * fast
