"""What other runtimes need of the graphs: they compute integers in 32 bits, and deployers fix the free dimensions."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from export.onnx import streaming_graph, waveform_graph
from export.onnx.dialogue_graph import build
from export.onnx.session import torch_outputs
from export.validate.dialogue import example
from export.validate.streaming import step_by_step
from replicate.features.acoustic import columns

from .runtimes import Onnxruntime, OpenVino, Reference
from .test_dialogue_graph import speech
from .test_streaming_graph import causal

SHAPES = [(n,) for n in (1, 2, 5, 15, 16, 17, 30, 31, 32, 33, 64, 110, 240, 500)]
SHAPES += [(16, 16), (30,) * 8, (5, 1, 33), (9, 4), (1, 1, 1), (7, 30, 1)]
MODELS = {"plain": speech(scaled=True, visual=9), "causal": causal(context_layers=4), "projected": speech(projected=12)}
RUNTIMES = pytest.mark.parametrize("runtime", [Onnxruntime, OpenVino, Reference], ids=lambda one: one.__name__)
GRAPHS = {
    "dialogues": lambda: build(speech(scaled=True, visual=9)),
    "causal": lambda: build(causal(context_layers=4)),
    "stream": lambda: streaming_graph.build(causal(context_layers=4)),
    "portable dialogues": lambda: build(speech(scaled=True, visual=9), portable=True),
    "portable causal": lambda: build(causal(context_layers=4), portable=True),
    "portable stream": lambda: streaming_graph.build(causal(context_layers=4), portable=True),
    "waveforms": lambda: waveform_graph.build(speech(features=163), columns()),
    "stream of waveforms": lambda: waveform_graph.build_stream(causal(features=163), columns()),
}


@pytest.mark.parametrize("model", [speech(scaled=True, visual=9), causal(context_layers=4)], ids=["plain", "causal"])
def test_openvino_computes_what_torch_geometric_computes(model, tmp_path):
    runner = OpenVino(build(model), tmp_path / "model.onnx")
    assert len(SHAPES) == 20
    for lengths in SHAPES:
        inputs = example(lengths, model)
        (found,) = runner.run(None, inputs)
        assert np.allclose(found, torch_outputs(model, inputs), rtol=0, atol=2e-6), lengths


def test_openvino_computes_a_stream(tmp_path):
    model = causal(context_layers=2, memory=4)
    steps = step_by_step(OpenVino(streaming_graph.build(model), tmp_path / "stream.onnx"))
    inputs = example((9, 20), model)
    assert np.allclose(steps(inputs), torch_outputs(model, inputs), rtol=0, atol=1e-5)


@RUNTIMES
@pytest.mark.parametrize("name", MODELS)
def test_portable_graphs_run_everywhere(name, runtime, tmp_path):
    graph, model = build(MODELS[name], portable=True), MODELS[name]
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", 18)]
    onnx.checker.check_model(graph, full_check=True)
    run = runtime(graph, tmp_path / "model.onnx")
    for lengths in SHAPES[:8] + SHAPES[-4:]:
        inputs = example(lengths, model)
        assert np.allclose(run.run(None, inputs)[0], torch_outputs(model, inputs), rtol=0, atol=5e-6), lengths


@RUNTIMES
@pytest.mark.parametrize("memory", [1, 4])
def test_portable_streams_run_everywhere(memory, runtime, tmp_path):
    model = causal(context_layers=2, memory=memory)
    steps = step_by_step(runtime(streaming_graph.build(model, portable=True), tmp_path / "stream.onnx"))
    inputs = example((9, 6), model)
    assert np.allclose(steps(inputs), torch_outputs(model, inputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", GRAPHS)
def test_integers_fit_in_32_bits_and_are_not_divided(name):
    graph = onnx.shape_inference.infer_shapes(GRAPHS[name](), data_prop=True).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in [*graph.input, *graph.value_info]}
    kinds |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    divided = [node for node in graph.node if node.op_type in ("Div", "Mod")]
    assert divided and not [n.name for n in divided if any(kinds.get(i) == TensorProto.INT64 for i in n.input)]
    # The end of a Slice is limited to the axis in any case.
    ends = {node.input[2] for node in graph.node if node.op_type == "Slice"}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.int64 and tensor.name not in ends:
            assert (values == values.astype(np.int32)).all(), tensor.name


@pytest.mark.parametrize("fixed", [("batch", "utterances"), ("batch",), ("utterances",)], ids=str)
@pytest.mark.parametrize("model", [speech(scaled=True, visual=9), causal(context_layers=4)], ids=["plain", "causal"])
@pytest.mark.parametrize("lengths", [(17,), (30, 12)], ids=str)
def test_batch_and_length_can_be_fixed(model, fixed, lengths):
    sizes = {"batch": len(lengths), "utterances": max(lengths)}
    options = onnxruntime.SessionOptions()
    for axis in fixed:
        options.add_free_dimension_override_by_name(axis, sizes[axis])
    content = build(model).SerializeToString()
    runner = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs = example(lengths, model)
    assert np.allclose(runner.run(None, inputs)[0], torch_outputs(model, inputs), rtol=0, atol=2e-6)


def test_dimensions_can_be_fixed_in_the_file():
    from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

    model = speech()
    content = build(model)
    for axis, size in (("batch", 2), ("utterances", 17)):
        make_dim_param_fixed(content.graph, axis, size)
    runner = onnxruntime.InferenceSession(content.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = example((17, 3), model)
    assert np.allclose(runner.run(None, inputs)[0], torch_outputs(model, inputs), rtol=0, atol=2e-6)
