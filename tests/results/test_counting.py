"""Parameters, operations and memory of models, against what can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from replicate.model.config import ModelConfig
from replicate.results.counting import PeakMemory, example, resources

CONFIG = ModelConfig(12, hidden=10, gnn_heads=2, feed_forward=30, context_layers=1)
LENGTH = 5


def of_a_layer(length=LENGTH, **change):
    """What a second layer of the context extractor adds."""
    one, two = (resources(replace(CONFIG, context_layers=layers, **change), length) for layers in (1, 2))
    return two.parameters - one.parameters, two.flops - one.flops


def test_a_transformer_layer():
    width, hidden = 12, 30
    products = 3 * width**2 + width**2 + 2 * width * hidden  # query, key and value; output; feed-forward
    biases = 3 * width + width + hidden + width
    attention = 2 * LENGTH * width  # scores with all utterances, and their mixture
    assert of_a_layer() == (products + biases + 4 * width, 2 * (products + attention))


@pytest.mark.parametrize(("kind", "gates"), [("gru", 3), ("lstm", 4)])
def test_a_recurrent_layer(kind, gates):
    # Two directions of half the width; each gate takes the layer's input, its own state, and two biases.
    products = 2 * gates * 5 * (10 + 5)
    assert of_a_layer(context=kind) == (products + 2 * gates * 5 * 2, 2 * products)


def test_products_of_long_dialogues_are_counted_too():
    short, long = (of_a_layer(length)[1] for length in (200, 256))  # the longer one is computed by oneDNN
    assert long - short == 2 * 2 * 56 * 12


def test_late_fusion_adds_encoders_and_a_layer_that_joins_them():
    late = resources(replace(CONFIG, stream_widths=(8, 4)), LENGTH)
    alone = [resources(replace(CONFIG, width=width), LENGTH) for width in (8, 4)]
    # Each of the two has everything after the encoder, too.
    after = sum(p.numel() for name, p in example(CONFIG, 1)[0].named_parameters() if not name.startswith("rnn"))
    assert late.parameters == alone[0].parameters + alone[1].parameters - after + 20 * 10 + 10


def test_memory_is_that_of_weights_and_of_tensors_that_exist_at_the_same_time():
    model = torch.nn.Linear(4, 4)  # 80 bytes
    with torch.no_grad(), PeakMemory(model) as memory:
        x = torch.zeros(2, 4)  # 32 bytes
        assert memory.now == 112
        y = model(x).view(4, 2)
        assert memory.now == 144
        del x
        assert memory.now == 112 and memory.peak == 144
        y += 1
        torch.zeros(100)
    assert memory.now == 112 and memory.peak == 112 + 400 and y.shape == (4, 2)


def test_the_same_numbers_again_and_no_trace_is_left():
    state = torch.random.get_rng_state()
    once = resources.__wrapped__(CONFIG, LENGTH)
    assert once == resources.__wrapped__(CONFIG, LENGTH) and once.utterances == LENGTH
    assert torch.equal(state, torch.random.get_rng_state()) and torch.is_grad_enabled()
    assert once.model != resources(replace(CONFIG, dropout=0.2), LENGTH).model
