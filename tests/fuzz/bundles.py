"""The files of a bundle that are fuzzed: ONNX graphs, their metadata, and checksums, with right hashes."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.fuzz import graph_changes, mutations
from tests.fuzz.harness import Reader, register


def _predict(folder: Path, stream: bool = False) -> None:
    """Open a bundle and predict two dialogues with it."""
    from export.audio.predict import recipe_of
    from export.predictor import DialogueFeatures, Predictor, to_csv, to_json
    from replicate.corpus.provenance import changed_versions, describe

    predictor = Predictor(folder)
    given = [
        DialogueFeatures(str(n), predictor.speakers[:1] * n, np.ones((n, predictor.width), np.float32)) for n in (1, 7)
    ]
    predictor.predict(given, "recording")
    found = [utterance for prediction in predictor.predict(given) for utterance in prediction.utterances()]
    to_csv(found)
    to_json(found)
    if predictor.metadata["recipe"] is not None:
        describe(recipe_of(predictor))
        changed_versions(recipe_of(predictor))
    if stream:
        predictor.stream().feed(given[0].features[0], predictor.speakers[0])


@functools.cache
def _good() -> dict[str, bytes]:
    """Return the files of a bundle."""
    from tests.export import tiny_bundle

    with tempfile.TemporaryDirectory() as name:
        folder = tiny_bundle.write(Path(name) / "bundle")
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _bundle(path: Path, name: str) -> Path:
    """Return a bundle in which one file is another; the checksums are right."""
    from export.predictor import CHECKSUMS

    files = _good() | {name: path.read_bytes()}
    if name != CHECKSUMS:
        listed = json.loads(files[CHECKSUMS]) | {name: hashlib.sha256(files[name]).hexdigest()}
        files[CHECKSUMS] = json.dumps(listed).encode()
    folder = path.parent / "bundle"
    folder.mkdir(exist_ok=True)  # a case that fails is read twice
    for each, content in files.items():
        (folder / each).write_bytes(content)
    return folder


@register("onnx")
def graphs() -> Reader:
    """Graphs for whole dialogues."""
    from export.predictor import BadBundle, BadInput

    _good()  # before the children are made

    def read(path: Path) -> None:
        _predict(_bundle(path, "model.onnx"))

    return Reader("onnx", _graphs, read, graph_changes.mutate, (BadBundle, BadInput), ".onnx")


@register("stream")
def streams() -> Reader:
    """Graphs for streams."""
    from export.predictor import BadBundle, BadInput

    _good()  # before the children are made

    def read(path: Path) -> None:
        _predict(_bundle(path, "model.stream.onnx"), stream=True)

    return Reader("stream", _stream_graphs, read, graph_changes.mutate, (BadBundle, BadInput), ".onnx")


@register("waveforms")
def waveforms() -> Reader:
    """Graphs that take waveforms, for whole dialogues and for streams."""
    from export.bundle_files import WAV, WAV_STREAM
    from export.demo.shipped import BUNDLE
    from export.model_file import Model
    from export.predictor import BadBundle, BadInput

    def read(path: Path) -> None:
        stream = b"new_state" in path.read_bytes()
        model = Model(path, stream=stream, wave=True)
        sound = np.sin(np.arange(1600, dtype=np.float32))[None]
        given = {"waveform": sound, "samples": np.array([1500]), "speaker": np.array([0])}
        found = model.run(given | ({"state": np.zeros(model.metadata["state"], np.float32)} if stream else {}))
        model.check(found[0], (1, len(model.metadata["labels"])))

    seeds = [(BUNDLE / name).read_bytes() for name in (WAV, WAV_STREAM)]
    return Reader("waveforms", lambda: seeds, read, graph_changes.mutate, (BadBundle, BadInput), ".onnx")


@register("metadata")
def metadata() -> Reader:
    """Metadata of a graph."""
    from export.predictor import FORMAT_NAME, FORMAT_VERSION, BadBundle, BadInput
    from replicate.errors import ReplicateError
    from tests.export import tiny_bundle

    _good()  # before the children are made

    def read(path: Path) -> None:
        model = tiny_bundle.graph(stream=False)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            entries = {name: json.dumps(value) for name, value in content.items()}
            tiny_bundle.set_metadata(model, {"format": f"{FORMAT_NAME} {FORMAT_VERSION}"} | entries)
        except (ValueError, AttributeError, TypeError, RecursionError):
            return  # no metadata of an ONNX file
        other = path.with_suffix(".onnx")
        other.write_bytes(model.SerializeToString())
        _predict(_bundle(other, "model.onnx"))

    seeds = [json.dumps(tiny_bundle.metadata(stream=False)).encode()]
    return Reader("metadata", lambda: seeds, read, mutations.of_json, (BadBundle, BadInput, ReplicateError), ".json")


@register("checksums")
def checksums() -> Reader:
    """Lists of a bundle's files."""
    from export.predictor import BadBundle, BadInput

    _good()  # before the children are made

    def read(path: Path) -> None:
        _predict(_bundle(path, "checksums.json"))

    return Reader(
        "checksums", lambda: [_good()["checksums.json"]], read, mutations.of_json, (BadBundle, BadInput), ".json"
    )


def _graphs() -> Sequence[bytes]:
    """Return a linear model, and what the exporter writes for untrained models, also in 8 bits, with its metadata."""
    from export.onnx import dialogue_graph
    from tests.export import tiny_bundle

    linear = tiny_bundle.graph(stream=False)
    found = [linear]
    for causal in (False, True):
        built = dialogue_graph.build(_untrained(causal))
        built.metadata_props.extend(linear.metadata_props)
        found += [built, _in_8_bits(built)]
    return [model.SerializeToString() for model in found]


def _stream_graphs() -> Sequence[bytes]:
    """Return a linear model, and what the exporter writes for an untrained one."""
    from export.onnx import streaming_graph
    from tests.export import tiny_bundle

    speech = _untrained(causal=True)
    config = speech.model.config
    built = streaming_graph.build(speech)
    about = tiny_bundle.metadata(stream=True)
    about |= {"memory": config.memory, "state": streaming_graph.state_size(config)}
    texts = {name: json.dumps(value) for name, value in about.items()}
    linear = tiny_bundle.graph(stream=True)
    given = next(entry.value for entry in linear.metadata_props if entry.key == "format")
    tiny_bundle.set_metadata(built, {"format": given} | texts)
    return [linear.SerializeToString(), built.SerializeToString()]


def _untrained(causal: bool) -> Any:
    import torch

    from export.onnx.deployed_model import SpeechModel
    from replicate.model.cogmen import COGMEN
    from replicate.model.config import ModelConfig
    from replicate.training.data import Scale
    from tests.export import tiny_bundle

    torch.manual_seed(0)
    width = tiny_bundle.WIDTH
    scaling = {"audio": Scale(np.zeros(width, np.float32), np.full(width, 2, np.float32))}
    small: dict[str, Any] = {"classes": 2, "hidden": 8, "context_layers": 1, "gnn_heads": 2, "feed_forward": 8}
    small |= {"causal": True, "past": 0, "memory": 4} if causal else {}
    return SpeechModel(COGMEN(ModelConfig(width, **small)), scaling)


def _in_8_bits(model: Any) -> Any:
    import onnx

    from export.onnx import quantise

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(quantise, "SMALLEST", 16):
        onnx.save(model, Path(folder) / "a.onnx")
        quantise.quantise(Path(folder) / "a.onnx", Path(folder) / "b.onnx")
        return onnx.load(Path(folder) / "b.onnx")
