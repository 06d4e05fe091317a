"""Runtimes other than onnxruntime, with the two methods of its sessions that ``step_by_step`` calls."""

import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator


class OpenVino:
    def __init__(self, graph, path):
        openvino = pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[dev]'")
        onnx.save(graph, path)
        # Without the hint it rounds to 16 bits on processors that have instructions for these.
        exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        self.compiled = openvino.Core().compile_model(str(path), "CPU", exact)
        self.get_inputs = onnxruntime.InferenceSession(path).get_inputs
        self.get_outputs = onnxruntime.InferenceSession(path).get_outputs

    def run(self, names, inputs):
        found = self.compiled(inputs)
        return [found[output.name] for output in self.get_outputs()]


class Reference:
    """ONNX's own definition of its operators, in numpy; it has none of onnxruntime's."""

    def __init__(self, graph, path):
        onnx.save(graph, path)
        self.evaluator = ReferenceEvaluator(graph)
        self.get_inputs = onnxruntime.InferenceSession(path).get_inputs
        self.get_outputs = onnxruntime.InferenceSession(path).get_outputs

    def run(self, names, inputs):
        return self.evaluator.run(None, inputs)


class Onnxruntime:
    def __init__(self, graph, path):
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        self.get_inputs, self.get_outputs, self.run = session.get_inputs, session.get_outputs, session.run
