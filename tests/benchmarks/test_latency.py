"""Latency of dialogues of 30 utterances, one thread, paper's size with random weights: `make bench`."""

import numpy as np
import pytest
import torch

from export import quantise
from export.check import as_function, example, session
from export.engines import eager
from export.graph import build
from export.speech import SpeechModel
from replicate.model.cogmen import COGMEN, ModelConfig
from replicate.rng import seeded
from replicate.training.data import Scale

pytestmark = pytest.mark.bench


def speech(form):
    with seeded(24, "weights"):
        model = COGMEN(ModelConfig(100, context_layers=4))
    return SpeechModel(model, {"audio": Scale(np.zeros(100, "f4"), np.ones(100, "f4"))}, form)


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    import onnx

    folder = tmp_path_factory.mktemp("bench")
    torch.set_num_threads(1)
    onnx.save(build(speech("reference")), folder / "model.onnx")
    quantise.quantise(folder / "model.onnx", folder / "int8.onnx")
    return {
        "reference": eager(speech("reference")),
        "banded": eager(speech("banded")),
        "compiled": eager(torch.compile(speech("banded"))),
        "onnxruntime": as_function(session(folder / "model.onnx")),
        "int8": as_function(session(folder / "int8.onnx")),
    }


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("name", ["reference", "banded", "compiled", "onnxruntime", "int8"])
def test_latency(benchmark, engines, name, batch):
    inputs = example((30,) * batch, speech("reference"))
    engines[name](inputs)
    assert benchmark(engines[name], inputs).shape == (batch, 30, 4)
