import pytest
import torch

from replicate.model.context.transformer import TransformerExtractor, encoder_heads
from replicate.rng import seeded


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (100, 10),
        (612, 9),
        (73, 1),
        (173, 1),
        (273, 7),
        (55, 11),
        (155, 1),
        (88, 8),
        (123, 1),
        (7, 7),
        (8, 8),
        (14, 7),
        (16, 8),
        (36, 9),
        (22, 11),
        (12, 12),
        (26, 13),
        (1, 1),
    ],
)
def test_heads_are_the_first_of_7_to_14_that_divide_the_width(width, heads):
    assert encoder_heads(width) == heads


def extractor(width=6, **options):
    with seeded(0, "extractor"):
        return TransformerExtractor(width, 5, 2, 0.0, feed_forward=8, **options).eval()


@torch.no_grad()
def test_there_are_no_positions():
    x, order = torch.randn(1, 7, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    model, present = extractor(), torch.ones(1, 7, dtype=torch.bool)
    assert torch.allclose(model(x, present)[:, order], model(x[:, order], present), atol=1e-5)


def test_the_number_of_heads_can_be_set():
    assert extractor(heads=3).transformer_encoder.layers[0].self_attn.num_heads == 3
    assert extractor(width=16).transformer_encoder.layers[0].self_attn.num_heads == 8


@torch.no_grad()
def test_dropout_zero_is_the_same_in_training():
    x, present = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0)), torch.ones(2, 4, dtype=torch.bool)
    present[1, 2:] = False
    model = extractor()
    before = model(x, present)[present]
    assert torch.allclose(before, model.train()(x, present)[present], atol=1e-5)
