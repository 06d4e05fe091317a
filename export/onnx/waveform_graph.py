"""The deployed model from waveforms: extractor of features, standardisation and model in one portable graph."""

from __future__ import annotations

import onnx

from export.onnx import dialogue_graph, streaming_graph
from export.onnx.acoustic_graph import functionals
from export.onnx.builder import Shapes, Writer
from export.onnx.deployed_model import SpeechModel
from replicate.features import acoustic


def build(speech: SpeechModel, columns: list[str]) -> onnx.ModelProto:
    """Build the graph that predicts the utterances of one dialogue.

    Args:
        columns: names of the acoustic functionals that are the model's input.

    Shapes:
        waveform: (utterances, samples) float32 at 16 kHz; samples: (utterances,) int64, the samples of each, the rest
        is ignored; speaker: (utterances,) int64. probability: (utterances, classes); features: (utterances, columns),
        the model's input, not standardised.
    """
    write = Writer(portable=True)
    features = _features(write, columns)
    write.length = write.op("Shape", "speaker")
    write.audio, write.speaker = (write.unsqueeze(name, 0) for name in (features, "speaker"))
    probability = dialogue_graph.predict(write, speech)
    write.op("Squeeze", probability, write.ints(0), output="probability")
    inputs: Shapes = {"waveform": ["utterances", "time"], "samples": ["utterances"], "speaker": ["utterances"]}
    classes = speech.model.config.classes
    return write.model(inputs, {"probability": ["utterances", classes], "features": ["utterances", len(columns)]})


def build_stream(speech: SpeechModel, columns: list[str]) -> onnx.ModelProto:
    """Build the graph that predicts one utterance of a causal model after those before it.

    Args:
        columns: as in ``build``.

    Shapes:
        waveform: (1, samples); samples, speaker: (1,); state: (S,), as in ``streaming_graph``. probability: (1,
        classes); new_state: (S,); features: (1, columns).
    """
    write = Writer(portable=True)
    write.audio = _features(write, columns)
    streaming_graph.step(write, speech)
    size, config = streaming_graph.state_size(speech.model.config), speech.model.config
    inputs: Shapes = {"waveform": [1, "time"], "samples": [1], "speaker": [1], "state": [size]}
    outputs: Shapes = {"probability": [1, config.classes], "new_state": [size], "features": [1, len(columns)]}
    return write.model(inputs, outputs)


def _features(write: Writer, columns: list[str]) -> str:
    known = acoustic.columns()
    if columns == known:
        return functionals(write, "waveform", "samples", "features")
    places = write.ints(*(known.index(name) for name in columns))
    return write.op("Gather", functionals(write, "waveform", "samples"), places, axis=1, output="features")
