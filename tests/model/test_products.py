import pytest
import torch
import torch.nn.functional as F

from replicate.model import products
from replicate.model.products import LEAST, ROWS, feed_forward, multiply, use_onednn
from replicate.model.seed_layers import fill
from replicate.rng import generator, seeded

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


def drawn(*shapes):
    with seeded(0, "products"):
        return [torch.randn(shape, requires_grad=True) for shape in shapes]


def gradients(out, inputs):
    weights = torch.randn(out.shape, generator=generator(0, "weights"))
    return torch.autograd.grad((out * weights).sum(), inputs)


def check(ours, theirs, inputs):
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    for mine, other in zip(gradients(ours, inputs), gradients(theirs, inputs), strict=True):
        assert mine.shape == other.shape
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("rows", [2 * ROWS, 2 * ROWS + 1])
@pytest.mark.parametrize("bias", [True, False])
def test_product_and_gradients_are_those_of_a_linear_layer(rows, bias):
    inputs = drawn((rows, 7), (5, 7), (5,))[: 3 if bias else 2]
    check(multiply(*inputs), F.linear(*inputs), inputs)


def test_a_transposed_weight():
    x, weight = inputs = drawn((ROWS + 3, 7), (7, 5))
    check(multiply(x, weight.mT), x @ weight, inputs)


def test_a_constant_input_gets_no_gradient():
    x, weight = drawn((3, 7), (5, 7))
    multiply(x.detach(), weight).sum().backward()
    assert x.grad is None
    assert torch.allclose(weight.grad, x.detach().sum(0).expand(5, 7), atol=1e-5)


@pytest.mark.parametrize("chance", [0.0, 0.4])
@pytest.mark.parametrize("rows", [ROWS, ROWS + 9])
def test_feed_forward_and_gradients_are_those_of_its_layers(rows, chance):
    x, weight1, bias1, weight2, bias2 = inputs = drawn((rows, 7), (11, 7), (11,), (5, 11), (5,))
    kept = torch.empty(rows, 11)
    fill(kept, chance, generator(0, "dropout"))
    theirs = F.linear(F.linear(x, weight1, bias1).relu() * kept, weight2, bias2)
    check(feed_forward(x, (weight1, bias1), (weight2, bias2), kept if chance else None, chance), theirs, inputs)


def test_results_repeat_bit_by_bit():
    x, weight = drawn((LEAST + 1, 100), (300, 100))
    first, second = multiply(x, weight), multiply(x, weight)
    assert torch.equal(first, second)
    assert all(map(torch.equal, gradients(first, [x, weight]), gradients(second, [x, weight])))


def test_only_large_products_of_float32_on_cpus_are_computed_by_onednn():
    weight = torch.zeros(5, 7)
    assert use_onednn(torch.zeros(LEAST, 7), weight)
    assert not use_onednn(torch.zeros(LEAST - 1, 7), weight)
    assert not use_onednn(torch.zeros(LEAST, 7), torch.zeros(2, 5, 7))
    assert not use_onednn(torch.zeros(LEAST, 7).double(), weight.double())
    assert not use_onednn(torch.zeros(LEAST, 7, device="meta"), weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert not use_onednn(torch.zeros(LEAST, 7), weight)


@pytest.mark.parametrize("rows", [2 * ROWS, 2 * ROWS + 1])
def test_columns_of_a_wider_matrix_are_copied_before_they_are_multiplied(rows, monkeypatch):
    """oneDNN has no fast kernel for them: 130 ms in the place of 0.05."""
    operands = []

    def recorded(x, weight, *rest):
        operands.extend([x, weight])
        return product(x, weight, *rest)

    product = products._product
    monkeypatch.setattr(products, "_product", recorded)
    wide, weight, gradient, first, second = drawn((rows, 20), (5, 7), (rows, 12), (11, 7), (5, 11))
    for out in (
        multiply(wide[:, :7], weight),
        feed_forward(wide[:, 7:14], (first, first.new_zeros(11)), (second, second.new_zeros(5)), None, 0.0),
    ):
        out.backward(gradient[:, :5])
    assert len(operands) == 18 and all(each.is_contiguous() or each.t().is_contiguous() for each in operands)
