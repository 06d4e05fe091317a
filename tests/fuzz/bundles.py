"""The files of a bundle that are fuzzed: ONNX graphs, their metadata, and checksums, with right hashes."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.harness import Reader, register

# Values of constants and attributes where sizes are easily wrong.
_INTEGERS = (0, 1, -1, 2, 3, 7, 100, 10_000, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -1.0, 1e-38, 1e30, float("nan"), float("inf"), -float("inf"))


def _predict(folder: Path, stream: bool = False) -> None:
    """Open a bundle and predict two dialogues with it."""
    from export.audio.predict import recipe_of
    from export.predictor import DialogueFeatures, Predictor, to_csv, to_json
    from replicate.corpus.provenance import changed_versions, describe

    predictor = Predictor(folder)
    given = [
        DialogueFeatures(str(n), predictor.speakers[:1] * n, np.ones((n, predictor.width), np.float32)) for n in (1, 7)
    ]
    found = [utterance for prediction in predictor.predict(given) for utterance in prediction.utterances()]
    to_csv(found)
    to_json(found)
    if predictor.metadata["recipe"] is not None:
        describe(recipe_of(predictor))
        changed_versions(recipe_of(predictor))
    if stream:
        predictor.stream().feed(given[0].features[0], predictor.speakers[0])


def _bundle(path: Path, name: str) -> Path:
    """Return a bundle in which one file is another; the checksums are right."""
    from tests.export import tiny_bundle

    folder = tiny_bundle.write(Path(tempfile.mkdtemp(dir=path.parent)) / "bundle")
    (folder / name).write_bytes(path.read_bytes())
    if name != "checksums.json":
        tiny_bundle.list_files(folder)
    return folder


@register("onnx")
def graphs() -> Reader:
    """Graphs for whole dialogues."""
    from export.predictor import BadBundle, BadInput

    def read(path: Path) -> None:
        _predict(_bundle(path, "model.onnx"))

    return Reader("onnx", _graphs, read, _graph_mutation, (BadBundle, BadInput), ".onnx")


@register("stream")
def streams() -> Reader:
    """Graphs for streams."""
    from export.predictor import BadBundle, BadInput
    from tests.export import tiny_bundle

    def read(path: Path) -> None:
        _predict(_bundle(path, "model.stream.onnx"), stream=True)

    seeds = [tiny_bundle.graph(stream=True).SerializeToString()]
    return Reader("stream", lambda: seeds, read, _graph_mutation, (BadBundle, BadInput), ".onnx")


@register("metadata")
def metadata() -> Reader:
    """Metadata of a graph."""
    from export.predictor import FORMAT_NAME, FORMAT_VERSION, BadBundle, BadInput
    from replicate.errors import ReplicateError
    from tests.export import tiny_bundle

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
    from tests.export import tiny_bundle

    def read(path: Path) -> None:
        _predict(_bundle(path, "checksums.json"))

    with tempfile.TemporaryDirectory() as folder:
        seeds = [(tiny_bundle.write(Path(folder) / "bundle") / "checksums.json").read_bytes()]
    return Reader("checksums", lambda: seeds, read, mutations.of_json, (BadBundle, BadInput), ".json")


def _graphs() -> Sequence[bytes]:
    """Return a linear model, and what the exporter writes for untrained models, with the metadata of the first."""
    import torch

    from export.onnx import dialogue_graph
    from export.onnx.deployed_model import SpeechModel
    from replicate.model.cogmen import COGMEN
    from replicate.model.config import ModelConfig
    from replicate.training.data import Scale
    from tests.export import tiny_bundle

    torch.manual_seed(0)
    linear, width = tiny_bundle.graph(stream=False), tiny_bundle.WIDTH
    found = [linear.SerializeToString()]
    scaling = {"audio": Scale(np.zeros(width, np.float32), np.full(width, 2, np.float32))}
    small: dict[str, Any] = {"classes": 2, "hidden": 8, "context_layers": 1, "gnn_heads": 2, "feed_forward": 8}
    for config in (ModelConfig(width, **small), ModelConfig(width, causal=True, past=0, **small)):
        built = dialogue_graph.build(SpeechModel(COGMEN(config), scaling))
        built.metadata_props.extend(linear.metadata_props)
        found.append(built.SerializeToString())
    return found


def _graph_mutation(content: bytes, draws: random.Random) -> bytes:
    """Change one node, constant, attribute, input or output, now and then bytes."""
    import onnx
    from google.protobuf.message import DecodeError

    if draws.random() < 0.1:
        return mutations.of_bytes(content, draws)
    try:
        model = onnx.load_model_from_string(content)
        change = draws.choice((_change_node, _change_node, _change_constant, _change_constant, _change_shape))
        change(model.graph, draws)
        return model.SerializeToString()
    except (DecodeError, IndexError, ValueError, TypeError):  # it was changed before
        return mutations.of_bytes(content, draws)


def _change_node(graph: Any, draws: random.Random) -> None:
    from onnx import helper

    from export.graph_check import OPERATORS

    node = draws.choice(graph.node)
    names = [name for one in graph.node for name in one.output] + [one.name for one in graph.initializer]
    kind = draws.randrange(6)
    if kind == 0:
        node.domain, _, node.op_type = draws.choice(sorted(OPERATORS)).rpartition(".")
    elif kind == 1 and node.input:
        node.input[draws.randrange(len(node.input))] = draws.choice(names)
    elif kind == 2:
        node.input.append(draws.choice([*names, ""]))
    elif kind == 3 and node.attribute:
        attribute = draws.choice(node.attribute)
        attribute.i, attribute.f = draws.choice(_INTEGERS), draws.choice(_FLOATS)
        attribute.ints[:] = [draws.choice(_INTEGERS) for _ in attribute.ints]
    elif kind == 4:
        twice, source = f"twice_{len(graph.node)}", draws.choice(names)
        graph.node.insert(draws.randrange(len(graph.node)), helper.make_node("Concat", [source] * 2, [twice], axis=0))
        node.input[draws.randrange(len(node.input))] = twice
    else:
        graph.node.remove(node)


def _change_constant(graph: Any, draws: random.Random) -> None:
    from onnx import numpy_helper

    tensor = draws.choice(graph.initializer)
    kind = draws.randrange(4)
    if kind == 0:
        tensor.dims[:] = [draws.choice(_INTEGERS) for _ in range(draws.randrange(4))]
        return
    if kind == 1:
        tensor.data_type = draws.randrange(24)
        return
    values = numpy_helper.to_array(tensor).copy()
    if kind == 2:
        values = np.resize(values, [draws.choice((0, 1, 2, 3, 50)) for _ in range(draws.randrange(4))])
    elif values.size:
        drawn = draws.choice(_FLOATS) if values.dtype.kind == "f" else draws.choice(_INTEGERS)
        values.flat[draws.randrange(values.size)] = np.array(drawn).astype(values.dtype)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _change_shape(graph: Any, draws: random.Random) -> None:
    value = draws.choice([*graph.input, *graph.output])
    dims = value.type.tensor_type.shape.dim
    kind = draws.randrange(4)
    if kind == 0 and dims:
        draws.choice(dims).dim_value = draws.choice(_INTEGERS)
    elif kind == 1:
        dims.add().dim_value = draws.choice(_INTEGERS)
    elif kind == 2:
        value.type.tensor_type.elem_type = draws.randrange(24)
    else:
        value.name = draws.choice(("audio", "speaker", "length", "probability", "x" * 5000, "\x1b[31m", ""))
