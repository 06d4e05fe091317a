"""Latency of dialogues of 30 utterances, paper's size with random weights, one thread or the GPU: `make bench`."""

import numpy as np
import pytest
import torch

from export.benchmark.base import BANDED, COMPILED, FP32, QUANTISED, REFERENCE, REPLAYED, compile_for_each_shape
from export.benchmark.engines import eager, next_utterance, on_host
from export.onnx import quantise
from export.onnx.deployed_model import SpeechModel
from export.onnx.dialogue_graph import build
from export.onnx.session import as_function, session
from export.onnx.streaming_graph import build as build_stream
from export.validate.dialogue import example
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.rng import seeded
from replicate.training.data import Scale

pytestmark = pytest.mark.bench


def speech(form, **causal):
    with seeded(24, "weights"):
        model = COGMEN(ModelConfig(100, context_layers=4, **causal))
        # torch initialises all layers alike; shared weights would fit a cache that those of a trained model do not.
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.01 * torch.randn_like(parameter)
    return SpeechModel(model, {"audio": Scale(np.zeros(100, "f4"), np.ones(100, "f4"))}, form)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    import onnx

    folder = tmp_path_factory.mktemp("bench")
    onnx.save(build(speech("reference")), folder / "model.onnx")
    quantise.quantise(folder / "model.onnx", folder / "int8.onnx")
    return folder


def on_cpu(name, files):
    torch.set_num_threads(1)
    if name in (FP32, QUANTISED):
        return on_host(as_function(session(files / ("model.onnx" if name == FP32 else "int8.onnx"))))
    model = speech("reference" if name == REFERENCE else "banded")
    return on_host(eager(compile_for_each_shape(model) if name == COMPILED else model))


def on_gpu(name, files):
    from export.benchmark import cuda

    if name != FP32:
        return cuda.torch_engine(speech("reference" if name == REFERENCE else "banded"), name)
    lacking = cuda.lacks_provider(files / "model.onnx")
    return pytest.skip(lacking) if lacking else cuda.onnx_engine(files / "model.onnx")


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("name", [REFERENCE, BANDED, COMPILED, FP32, QUANTISED])
def test_latency(benchmark, files, name, batch):
    engine, inputs = on_cpu(name, files), example((30,) * batch, speech("reference"))
    try:
        assert engine.predict(inputs).shape == (batch, 30, 4)
    except torch._dynamo.exc.BackendCompilerFailed as error:
        pytest.skip(f"torch cannot compile it: {str(error)[:80]}")
    benchmark(engine.predict, inputs)


def test_latency_of_a_streams_next_utterance(benchmark, tmp_path):
    import onnx

    onnx.save(build_stream(speech("banded", causal=True, past=0)), tmp_path / "model.stream.onnx")
    benchmark(next_utterance(tmp_path / "model.stream.onnx"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("name", [REFERENCE, BANDED, COMPILED, REPLAYED, FP32])
def test_latency_on_the_gpu(benchmark, files, name, batch):
    engine, inputs = on_gpu(name, files), example((30,) * batch, speech("reference"))
    assert engine.predict(inputs).shape == (batch, 30, 4)
    assert benchmark(engine.timer(inputs)) > 0
