"""The operations of an exported model, the time of its matrix products alone, and a profile of all its nodes."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.utils.flop_counter import FlopCounterMode

from export.onnx.session import Inputs
from replicate.features import acoustic


@dataclass(frozen=True)
class NodeTime:
    """Time of all nodes of one kind in a call, in microseconds; onnxruntime's profiler slows small nodes down."""

    kind: str
    nodes: int
    microseconds: float


def flops(model: Path) -> int:
    """Count floating-point operations for each utterance in products with weights: two for each weight.

    What attention heads are padded with is not counted.
    """
    return 2 * sum(int(np.prod(weight.dims)) for weight in _weights(onnx.load(model)))


def extractor_flops() -> int:
    """Count floating-point operations of the acoustic functionals' products for each second of sound."""
    found = []
    for seconds in (1, 2):  # their difference is free of what an utterance costs whatever its length
        samples = seconds * acoustic.RATE
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            acoustic.Acoustic()(torch.zeros(1, samples), torch.tensor([samples]))
        found.append(counter.get_total_flops())
    return found[1] - found[0]


def products_alone(model: Path, rows: int, threads: int = 1) -> Callable[[], object]:
    """Make a function that computes only the model's products with weights, for ``rows`` utterances, on the CPU.

    Its time is a lower bound for onnxruntime, as if attention scores, norms, window and activations took none.
    """
    weights = [_named(weight, f"weight_{i}") for i, weight in enumerate(_weights(onnx.load(model)))]
    shapes = {_left(weight): [*weight.dims[:-2], rows, weight.dims[-2]] for weight in weights}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    nodes, outputs = [], []
    for weight in weights:
        nodes.append(helper.make_node("MatMul", [_left(weight), weight.name], [f"product of {weight.name}"]))
        outputs.append(helper.make_tensor_value_info(f"product of {weight.name}", TensorProto.FLOAT, None))
    graph = helper.make_graph(nodes, "products", inputs, outputs, weights)
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    runner = onnxruntime.InferenceSession(content.SerializeToString(), options, providers=["CPUExecutionProvider"])
    draws = np.random.default_rng(0)
    fed = {name: draws.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return lambda: runner.run(None, fed)


def profile(model: Path, inputs: Inputs, calls: int = 200) -> list[NodeTime]:
    """Profile calls on one thread: median time of each kind of node, the longest first."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        runner = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(calls):
            runner.run(None, inputs)
        events = json.loads(Path(runner.end_profiling()).read_text())
    durations: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            durations[event["args"]["op_name"], event["name"]].append(event["dur"])
    medians: dict[str, list[float]] = defaultdict(list)
    for (kind, _), values in durations.items():
        medians[kind].append(float(np.median(values)))
    times = [NodeTime(kind, len(values), sum(values)) for kind, values in medians.items()]
    return sorted(times, key=lambda kind: -kind.microseconds)


def _weights(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return the weights of every product, in the nodes' order; weights that two nodes share appear twice."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) >= 2}
    padded = _padded(model)
    products = [node.input[1] for node in model.graph.node if node.op_type in ("Gemm", "MatMul", "Attention")]
    return [padded.get(name, weights[name]) for name in products if name in weights]


def _padded(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the weights around each attention operator without the padding of its heads, by their names."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    source = {output: node for node in model.graph.node for output in node.output}
    reader = {node.input[0]: node for node in model.graph.node if node.input}
    found = {}
    for node in model.graph.node:
        if node.op_type != "MultiHeadAttention":
            continue
        (heads,) = (attribute.i for attribute in node.attribute if attribute.name == "num_heads")
        before = source[source[source[node.input[0]].input[0]].input[0]].input[1]
        after = reader[reader[node.output[0]].output[0]].input[1]
        for name, axis, kinds in ((before, 1, 3), (after, 0, 1)):
            values = np.moveaxis(numpy_helper.to_array(weights[name]), axis, 0)
            width = values.shape[1]
            kept = values.reshape(kinds * heads, -1, width)[:, : width // heads].reshape(-1, width)
            found[name] = numpy_helper.from_array(np.ascontiguousarray(np.moveaxis(kept, 0, axis)), name)
    return found


def _named(weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(weight), name)


def _left(weight: onnx.TensorProto) -> str:
    return "rows_" + "_".join(map(str, weight.dims[:-1]))
