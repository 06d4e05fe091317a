import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxruntime import InferenceSession

from export.onnx import streaming_graph
from export.onnx.session import torch_outputs
from export.validate.dialogue import LENGTHS, example
from export.validate.streaming import step_by_step

from .test_dialogue_graph import runner, speech


def causal(**options):
    return speech(**{"past": 0, "future": 5, "causal": True} | options)


def streaming(model):
    return InferenceSession(streaming_graph.build(model).SerializeToString(), providers=["CPUExecutionProvider"])


OPTIONS = [
    {},
    {"visual": 9},
    {"scaled": True},
    {"decoupled": 4},
    {"hallucinated": 7},
    {"projected": 12, "projection_bias": True},
    {"memory": 1},
    {"memory": 2, "context_layers": 4},
    {"future": 0},
    {"future": 0, "memory": 1},
    {"future": 9, "memory": 4, "gnn_heads": 1, "classes": 6},
    {"speakers": 1},
    {"speakers": 3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_computes_what_torch_geometric_computes_for_whole_dialogues(options):
    model = causal(**options)
    whole, steps = runner(model), step_by_step(streaming(model))
    for n in LENGTHS:
        inputs = example((n,), model)
        found = steps(inputs)
        assert np.allclose(found, torch_outputs(model, inputs), rtol=0, atol=1e-5)
        assert np.allclose(found, whole.run(None, inputs)[0], rtol=0, atol=1e-5)


MODEL = causal(memory=7)
WHOLE, STEPS = runner(MODEL), step_by_step(streaming(MODEL))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.sampled_from(["drawn", "alternating", "all the first"]))
def test_the_dialogues_of_a_batch_are_independent_streams(lengths, speakers):
    inputs = example(tuple(lengths), MODEL, speakers)
    assert np.allclose(STEPS(inputs), WHOLE.run(None, inputs)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("layers", "memory", "future"), [(1, 1, 0), (1, 3, 0), (2, 3, 0), (1, 1, 2), (2, 4, 3)])
def test_an_utterance_affects_exactly_those_within_its_receptive_field(layers, memory, future):
    model = causal(context_layers=layers, memory=memory, future=future)
    inputs, steps = example((40,), model), step_by_step(streaming(model))
    before = steps(inputs)
    inputs["audio"][0, 5] += 3
    moved = np.abs(steps(inputs) - before)[0].max(-1) > 1e-7
    assert moved.nonzero()[0].tolist() == list(range(5, 5 + layers * (memory - 1) + 2 * future + 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 6), st.integers(1, 3))
def test_the_state_has_the_documented_size(memory, future, layers):
    model = causal(memory=memory, future=future, context_layers=layers)
    config = model.model.config
    expected = 1 + 2 * layers * (memory - 1) * config.width + future * (1 + 2 * config.hidden)
    assert streaming_graph.state_size(config) == expected
    built = streaming_graph.build(model).graph
    assert [d.dim_value for d in built.input[2].type.tensor_type.shape.dim] == [expected]
    assert [d.dim_value for d in built.output[1].type.tensor_type.shape.dim] == [expected]


def test_the_checker_accepts_it_and_every_weight_is_there_once():
    model = causal(visual=9, context_layers=4)
    built = streaming_graph.build(model)
    onnx.checker.check_model(built, full_check=True)
    in_file = sum(int(np.prod(t.dims)) for t in built.graph.initializer)
    assert in_file < sum(p.numel() for p in model.model.parameters()) + 2000
    assert len(built.graph.node) < 110
