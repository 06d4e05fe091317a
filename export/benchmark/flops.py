"""What of an exported model's time cannot be saved, its products with weights; and where onnxruntime spends it all."""

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
from onnx import TensorProto, helper, numpy_helper

from export.onnx.session import Inputs


@dataclass(frozen=True)
class Spent:
    """Time of all nodes of one kind in a call: microseconds, by onnxruntime's own clock (it slows small nodes down)."""

    kind: str
    nodes: int
    microseconds: float


def flops(model: Path) -> int:
    """Floating-point operations per utterance in products with weights: two for each weight of the exported file."""
    return 2 * sum(int(np.prod(weight.dims)) for weight in _weights(onnx.load(model)))


def alone(model: Path, rows: int, threads: int = 1) -> Callable[[], object]:
    """Runs nothing but the model's products with weights, for so many utterances, on the CPU.

    So fast would onnxruntime be if all else cost nothing: attention's scores, norms, window, activations.
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


def profile(model: Path, inputs: Inputs, calls: int = 200) -> list[Spent]:
    """Where one call on one thread spends its time, by kind of node, the longest first; medians over calls."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        runner = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(calls):
            runner.run(None, inputs)
        events = json.loads(Path(runner.end_profiling()).read_text())
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            taken[event["args"]["op_name"], event["name"]].append(event["dur"])
    medians: dict[str, list[float]] = defaultdict(list)
    for (kind, _), durations in taken.items():
        medians[kind].append(float(np.median(durations)))
    spent = [Spent(kind, len(values), sum(values)) for kind, values in medians.items()]
    return sorted(spent, key=lambda kind: -kind.microseconds)


def _weights(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """The right side of every product with weights, in order; weights that two nodes share come twice."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) >= 2}
    products = [node.input[1] for node in model.graph.node if node.op_type in ("Gemm", "MatMul", "Attention")]
    return [stored[name] for name in products if name in stored]


def _named(weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(weight), name)


def _left(weight: onnx.TensorProto) -> str:
    return "rows_" + "_".join(map(str, weight.dims[:-1]))
