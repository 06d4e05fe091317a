"""Writes an ONNX graph node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

# Names of inputs or outputs, and their axes.
Shapes = dict[str, list[str | int]]
# Versions that onnxruntime 1.20 and later run.
OPSET, IR = 18, 10


class Writer:
    """Nodes and weights in the order in which they are written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.written: dict[str, str] = {}
        self.weights: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """A node with one output; returns that output's name. The same node is written once."""
        name = self.written.setdefault(repr((kind, inputs, attributes)), output or f"{kind.lower()}_{len(self.nodes)}")
        if any(node.name == name for node in self.nodes):
            return name
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def several(self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """A node with so many outputs; returns their names."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes))
        return names

    def weight(self, values: NDArray[Any] | Tensor) -> str:
        """A constant; the same values are stored once."""
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"weight_{len(self.weights)}"
        stored = numpy_helper.from_array(np.ascontiguousarray(array), name)
        for known, tensor in self.weights.items():
            if (tensor.data_type, tensor.dims, tensor.raw_data) == (stored.data_type, stored.dims, stored.raw_data):
                return known
        self.weights[name] = stored
        return name

    def scalar(self, value: int) -> str:
        """A number."""
        return self.weight(np.array(value, np.int64))

    def ints(self, *values: int) -> str:
        """A list of integers."""
        return self.weight(np.array(values, np.int64))

    def floats(self, *values: float) -> str:
        """A list of numbers."""
        return self.weight(np.array(values, np.float32))

    def linear(self, layer: nn.Linear, x: str) -> str:
        """A linear layer on rows."""
        return self.op("Gemm", x, self.weight(layer.weight.T), self.weight(layer.bias))

    def at(self, x: str, axis: int) -> str:
        """x with an axis of size one."""
        return self.op("Unsqueeze", x, self.ints(axis))

    def axis(self, axis: int) -> str:
        """Size of an axis of ``speaker``, a scalar."""
        return self.op("Gather", self.op("Shape", "speaker"), self.scalar(axis))

    def finish(self, inputs: Shapes, outputs: Shapes) -> onnx.ModelProto:
        """The model of all that was written; speakers and lengths are whole numbers, all else is not."""
        values = [
            [
                helper.make_tensor_value_info(
                    name, TensorProto.INT64 if name in ("speaker", "length") else TensorProto.FLOAT, shape
                )
                for name, shape in ends.items()
            ]
            for ends in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, "cogmen", *values, list(self.weights.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="bridging-modalities")
