"""A builder for ONNX graphs: it adds nodes and weights one by one and returns the names of their outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

# Shape of each input or output by its name; a text is the name of a dynamic axis.
Shapes = dict[str, list[str | int]]
# Both are read by ``limited_session.ONNXRUNTIME`` and later versions; higher ones need a higher version there.
OPSET, IR = 18, 10
INTEGERS = ("speaker", "length", "samples")


class Writer:
    """The nodes and weights of a graph, in the order in which they were added.

    Args:
        portable: use operators of ONNX itself alone, which every runtime has, in place of onnxruntime's own.

    Attributes:
        audio, speaker, length: the inputs that the graph computes with; see ``export.onnx.dialogue_graph``.
    """

    def __init__(self, portable: bool = False) -> None:
        self.portable = portable
        self.audio, self.speaker, self.length = "audio", "speaker", "length"
        self.nodes: list[onnx.NodeProto] = []
        self.written: dict[str, str] = {}
        self.weights: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name; an identical node is reused."""
        name = self.written.setdefault(repr((kind, inputs, attributes)), output or f"{kind.lower()}_{len(self.nodes)}")
        if any(node.name == name for node in self.nodes):
            return name
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name

    def multi_op(self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs and return their names."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes))
        return names

    def weight(self, values: NDArray[Any] | Tensor) -> str:
        """Add a constant, float64 as float32, and return its name; an identical constant is reused."""
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"weight_{len(self.weights)}"
        # Not ascontiguousarray, which makes a scalar a vector: Range refuses one where it knows the shape.
        new = numpy_helper.from_array(np.asarray(array, order="C"), name)
        for known, tensor in self.weights.items():
            if (tensor.data_type, tensor.dims, tensor.raw_data) == (new.data_type, new.dims, new.raw_data):
                return known
        self.weights[name] = new
        return name

    def scalar(self, value: int) -> str:
        """Add an int64 constant without axes."""
        return self.weight(np.array(value, np.int64))

    def ints(self, *values: int) -> str:
        """Add a vector of int64 constants."""
        return self.weight(np.array(values, np.int64))

    def floats(self, *values: float) -> str:
        """Add a vector of float32 constants."""
        return self.weight(np.array(values, np.float32))

    def linear(self, layer: nn.Linear, x: str) -> str:
        """Apply a linear layer to a matrix of rows."""
        return self.op("Gemm", x, self.weight(layer.weight.T), self.weight(layer.bias))

    def unsqueeze(self, x: str, *axes: int) -> str:
        """Insert axes of size 1."""
        return self.op("Unsqueeze", x, self.ints(*axes))

    def speaker_axis(self, axis: int) -> str:
        """Return the size of an axis of ``speaker``, as a scalar."""
        return self.op("Gather", self.op("Shape", self.speaker), self.scalar(axis))

    def model(self, inputs: Shapes, outputs: Shapes) -> onnx.ModelProto:
        """Return the graph as a model; the inputs in ``INTEGERS`` are int64, all others float32."""
        values = [
            [
                helper.make_tensor_value_info(name, TensorProto.INT64 if name in INTEGERS else TensorProto.FLOAT, shape)
                for name, shape in ends.items()
            ]
            for ends in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, "cogmen", *values, list(self.weights.values()))
        own = {node.domain for node in self.nodes if node.domain}
        opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in sorted(own))]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="bridging-modalities")
