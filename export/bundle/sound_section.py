"""The section of a model card on the files that take waveforms: an example, and their inputs and outputs."""

from __future__ import annotations

import json
from pathlib import Path

import onnx

from export.bundle_files import WAV, WAV_STREAM
from replicate import grids
from replicate.escape import markdown

_MEANINGS = {
    "waveform": "float32, 16 kHz, -1 to 1, a row for each utterance; what follows the end of one is ignored",
    "samples": "int64, how many samples each utterance has",
    "speaker": "int64, the speaker's number: its place in the metadata `speakers`",
    "state": "float32, zeros at the start of a dialogue, then `new_state` of the call before",
    "probability": "float32, of each of the metadata `labels`",
    "features": "float32, what the extractor computed, not standardised",
    "new_state": "float32, `state` of the next call",
}
_WHOLE = """\
```python
import json
import wave

import numpy as np
import onnxruntime


def read(path):
    with wave.open(path) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, 16000):
            raise ValueError(f"{{path}} is not mono, 16 bit, 16 kHz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


sounds = [read("1.wav"), read("2.wav")]  # one file for each utterance, in order of time
speakers = np.array([0, {second}], np.int64)
samples = np.array([len(sound) for sound in sounds], np.int64)
waveform = np.stack([np.pad(sound, (0, samples.max() - len(sound))) for sound in sounds])
model = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
labels = json.loads(model.get_modelmeta().custom_metadata_map["labels"])
inputs = {{"waveform": waveform, "samples": samples, "speaker": speakers}}
(probability,) = model.run(["probability"], inputs)
for row in probability:
    print(labels[row.argmax()], row.max())
```"""
_STREAM = """\
```python
model = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
state = np.zeros({size}, np.float32)
for sound, speaker in zip(sounds, speakers):
    inputs = {{"waveform": sound[None], "samples": np.array([len(sound)], np.int64), "speaker": speaker[None]}}
    probability, state = model.run(["probability", "new_state"], inputs | {{"state": state}})
    print(labels[probability[0].argmax()], probability[0].max())
```"""


def section(folder: Path) -> str:
    """Describe the files for waveforms of a bundle that is being written; shapes are read from the files themselves."""
    model = onnx.load(folder / WAV)
    (known,) = (json.loads(entry.value) for entry in model.metadata_props if entry.key == "speakers")
    paragraphs = [
        f"`{WAV}` has the extractor of features inside and predicts the utterances of one dialogue. With numpy and "
        "onnxruntime alone:",
        _WHOLE.format(file=WAV, second=min(1, len(known) - 1)),
        _table(model.graph),
    ]
    if (folder / WAV_STREAM).is_file():
        graph = onnx.load(folder / WAV_STREAM).graph
        (size,) = (one.type.tensor_type.shape.dim[0].dim_value for one in graph.input if one.name == "state")
        paragraphs += [
            f"`{WAV_STREAM}` takes one utterance at a time. `state` is zeros at the start of a dialogue, and "
            "`new_state` goes into the next call. The example goes on:",
            _STREAM.format(file=WAV_STREAM, size=size),
            _table(graph),
        ]
    return "\n\n".join(paragraphs)


def _table(graph: onnx.GraphProto) -> str:
    lines = [
        (f"{kind} `{one.name}`", markdown(_shape(one)), _MEANINGS[one.name])
        for kind, values in (("input", graph.input), ("output", graph.output))
        for one in values
    ]
    return "\n".join(grids.markdown(("", "shape", "content"), lines))


def _shape(value: onnx.ValueInfoProto) -> str:
    return " × ".join(one.dim_param or str(one.dim_value) for one in value.type.tensor_type.shape.dim)
