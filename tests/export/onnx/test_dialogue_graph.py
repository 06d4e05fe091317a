import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import build
from export.onnx.session import torch_outputs
from export.validate.dialogue import example
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.rng import seeded
from replicate.training.data import Scale


def speech(features=12, visual=0, scaled=False, seed=3, **options):
    """A small model with random weights and statistics, and its reference form."""
    options = {"feed_forward": 32, "hidden": 10, "gnn_heads": 3} | options
    with seeded(seed, "weights"):
        model = COGMEN(ModelConfig(features + visual, **options))
        model.gcn.bn.running_mean.normal_()
        model.gcn.bn.running_var.uniform_(0.5, 2)
        model.gcn.bn.weight.data.uniform_(0.5, 2)
        if model.decoupler is not None:
            model.decoupler.norm.weight.data.uniform_(0.5, 2)
            model.decoupler.norm.bias.data.normal_()
    mean = np.linspace(-2, 3, features, dtype="f4") if scaled else np.zeros(features, "f4")
    deviation = np.linspace(0.5, 4, features, dtype="f4") if scaled else np.ones(features, "f4")
    scaling = {"audio": Scale(mean, deviation)}
    if visual:
        scaling["visual"] = Scale(np.zeros(visual, "f4"), np.ones(visual, "f4"))
    return SpeechModel(model, scaling, "reference")


def runner(model):
    return onnxruntime.InferenceSession(build(model).SerializeToString(), providers=["CPUExecutionProvider"])


OPTIONS = [
    {},
    {"visual": 9},
    {"scaled": True},
    {"past": 0, "future": 0},
    {"past": 3, "future": 0},
    {"past": 0, "future": 7},
    {"past": 20, "future": 18},
    {"context_layers": 4, "classes": 6, "gnn_heads": 1},
    {"speakers": 1},
    {"speakers": 3},
    {"decoupled": 5},
    {"hallucinated": 7},
    {"projected": 12, "scaled": True},
    {"projected": 12, "projection_bias": True, "scaled": True},
    {"projected": 12, "projection_bias": True, "visual": 9},
    {"past": 0, "causal": True},
    {"past": 0, "causal": True, "memory": 3, "context_layers": 4, "visual": 9},
    {"past": 0, "causal": True, "memory": 1, "future": 0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("lengths", [(1,), (2,), (16,), (17,), (40,), (5, 1, 33), (16, 16)], ids=str)
def test_it_computes_what_torch_geometric_computes(options, lengths):
    model = speech(**options)
    inputs = example(lengths, model)
    (ours,) = runner(model).run(None, inputs)
    assert np.allclose(ours, torch_outputs(model, inputs), rtol=0, atol=2e-6)


MODEL = speech()
RUNNER = runner(MODEL)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 45), min_size=1, max_size=5), st.sampled_from(["drawn", "alternating", "all the first"]))
def test_a_dialogue_gives_the_same_in_any_batch(lengths, speakers):
    inputs = example(tuple(lengths), MODEL, speakers)
    (batch,) = RUNNER.run(None, inputs)
    for i, n in enumerate(lengths):
        one = {"audio": inputs["audio"][i : i + 1, :n], "speaker": inputs["speaker"][i : i + 1, :n]}
        (alone,) = RUNNER.run(None, one | {"length": np.array([n])})
        assert np.allclose(batch[i, :n], alone[0], rtol=0, atol=1e-6)
        assert (batch[i, n:] == 0).all()


def test_padding_has_no_effect_even_if_it_is_nan():
    inputs = example((9, 4), MODEL)
    (clean,) = RUNNER.run(None, inputs)
    inputs["audio"][1, 4:] = np.nan
    assert (RUNNER.run(None, inputs)[0] == clean).all()


def test_there_are_few_nodes_and_every_weight_once():
    model = speech(context_layers=4)
    graph = build(model).graph
    assert len(graph.node) < 140
    in_file = sum(int(np.prod(t.dims)) for t in graph.initializer)
    trained = sum(p.numel() for p in model.model.parameters())
    assert in_file < trained + 2000, "folding weights must not make the file larger"
    assert {node.domain for node in graph.node} == {"", "com.microsoft"}


def test_the_checker_accepts_it():
    onnx.checker.check_model(build(speech(visual=9)), full_check=True)


def test_building_leaves_the_model_unchanged():
    model = speech()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    build(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
