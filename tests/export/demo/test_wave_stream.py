"""Models that take sound, one utterance after the other: against numpy, and every bundle that has none."""

from __future__ import annotations

import numpy as np
import pytest

from export.bundle_files import WAV_STREAM
from export.demo.wave_stream import WaveModel, WaveStream
from export.predictor import BadBundle, BadInput
from tests.export import tiny_bundle

from . import wave_bundle
from .signals import bursts


def test_each_answer_depends_on_the_state(tmp_path):
    stream = WaveStream(WaveModel(wave_bundle.write(tmp_path / "b")))
    state = np.zeros(4)
    for seed in range(3):
        signal = bursts((0, 1), total=1, seed=seed)
        answer = stream.feed(signal, "M")
        np.testing.assert_allclose(answer.probabilities, wave_bundle.expected(signal, state), atol=1e-6)
        np.testing.assert_allclose(answer.features, [signal.max(), -signal.min()])
        state[0] += 0.5


def test_what_cannot_be_predicted_leaves_the_stream_as_it_was(tmp_path):
    stream = WaveStream(WaveModel(wave_bundle.write(tmp_path / "b")))
    for samples, speaker in ((np.ones(5), "X"), (np.zeros(0), "M"), (np.array([np.nan]), "M")):
        with pytest.raises(BadInput):
            stream.feed(samples.astype(np.float32), speaker)
    signal = bursts((0, 1), total=1)
    np.testing.assert_allclose(
        stream.feed(signal, "M").probabilities, wave_bundle.expected(signal, np.zeros(4)), atol=1e-6
    )


def test_a_bundle_of_another_extractor_is_named(tmp_path):
    folder = tiny_bundle.write(tmp_path / "b")
    with pytest.raises(BadBundle, match=r"takes openSMILE x \(2 columns\), and only acoustic functionals"):
        WaveModel(folder)

    def set_recipe(recipe):
        def change(model):
            texts = {one.key: one.value for one in model.metadata_props}
            tiny_bundle.set_metadata(model, texts | {"recipe": recipe})

        return change

    folder = tiny_bundle.write(tmp_path / "none", set_recipe("null"))
    with pytest.raises(BadBundle, match="takes features of an unknown extractor"):
        WaveModel(folder)
    folder = tiny_bundle.write(tmp_path / "whole", set_recipe('{"extractor": "acoustic"}'))
    with pytest.raises(BadBundle, match="needs the whole dialogue, or an older version exported it: export a causal"):
        WaveModel(folder)


def test_a_file_of_another_program_is_refused(tmp_path):
    folder = wave_bundle.write(tmp_path / "b")
    (folder / WAV_STREAM).write_bytes((folder / "model.stream.onnx").read_bytes())
    with pytest.raises(BadBundle, match="was changed after the export"):
        WaveModel(folder)
    tiny_bundle.list_files(folder)
    with pytest.raises(BadBundle, match="its inputs are 'audio, speaker, state'"):
        WaveModel(folder)
    with pytest.raises(BadBundle, match="its state are not a number"):
        WaveModel(wave_bundle.write(tmp_path / "state", state=-1))
