import math
import resource

import pytest
import torch

from replicate.model.context.s4d import Diagonal, StateSpace
from replicate.rng import generator, seeded


def diagonal(channels=3, states=4):
    with seeded(0, "state space"):
        return Diagonal(channels, states).double()


@pytest.mark.parametrize("length", [1, 2, 3, 5, 16, 17, 60])
@torch.no_grad()
def test_the_convolution_is_the_recurrence_step_by_step(length):
    layer = diagonal()
    u = torch.randn(length, 3, generator=generator(1, "u"))
    # Zero-order hold: x_k = exp(A step) x_(k-1) + (exp(A step) - 1) / A u_k, with B = 1; y_k = 2 Re(C x_k) + D u_k.
    decay = torch.complex(-layer.log_decay.exp(), layer.frequency)
    hold = (decay * layer.log_step.exp()).exp()
    state, expected = torch.zeros(3, 4, dtype=torch.complex128), []
    for row in u.double():
        state = hold * state + (hold - 1) / decay * row[:, None]
        output = (torch.view_as_complex(layer.out) * state).sum(1)
        expected.append(2 * output.real + layer.skip * row)
    assert torch.allclose(layer(u[None])[0].double(), torch.stack(expected), rtol=0, atol=1e-5)


def test_initial_values_are_those_of_s4d_lin():
    layer = Diagonal(500, 4)
    assert torch.allclose(-layer.log_decay.exp(), torch.tensor(-0.5))
    assert torch.allclose(layer.frequency, math.pi * torch.arange(4.0))
    steps = layer.log_step.exp()
    assert 1e-3 <= steps.min() < 2e-3 and 5e-2 < steps.max() <= 1e-1
    assert abs(layer.log_step.mean() - math.log(1e-2)) < 0.3, "uniform in the logarithm"


def test_every_parameter_is_learned():
    layer = diagonal()
    layer(torch.randn(2, 9, 3)).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, name


def test_ten_thousand_utterances_take_no_memory_that_grows_with_their_square():
    with seeded(0, "state space"):
        model = StateSpace(20, 16, 1, 0.0, False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = model(torch.randn(1, 10_000, 20), torch.ones(1, 10_000, dtype=torch.bool))
    out.square().mean().backward()
    assert out.isfinite().all()
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert taken < 10_000**2, "not even a byte for each pair of utterances"
