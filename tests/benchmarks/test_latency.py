"""Latency of one dialogue of 30 utterances, one thread, paper's size with random weights: `make bench`."""

import numpy as np
import pytest
import torch

from export.check import example
from export.speech import SpeechModel
from replicate.model.cogmen import COGMEN, ModelConfig
from replicate.rng import seeded
from replicate.training.data import Scale

pytestmark = pytest.mark.bench


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize("form", ["reference", "banded"])
def test_forward(benchmark, form, batch):
    with seeded(24, "weights"):
        model = SpeechModel(COGMEN(ModelConfig(100)), {"audio": Scale(np.zeros(100, "f4"), np.ones(100, "f4"))}, form)
    inputs = [torch.from_numpy(array) for array in example((30,) * batch, model).values()]
    torch.set_num_threads(1)
    with torch.inference_mode():
        probability = benchmark(model, *inputs)
    assert probability.shape == (batch, 30, 4)
