import pytest
import torch

from replicate.training.distillation.hallucination import discrepancy, guess_loss


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_squared_error():
    assert float(guess_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]), "mse")) == 2.5


def test_samples_of_one_distribution_are_nearer_than_shifted_ones():
    x = normal(200, 5)
    assert float(guess_loss(x, x[torch.randperm(200)], "mmd")) == pytest.approx(0, abs=1e-5)
    alike, apart = (float(discrepancy(x, normal(200, 5, seed=1) + shift)) for shift in (0, 1))
    assert 0 <= alike < 0.1 * apart


@pytest.mark.parametrize("n", [1, 2])
def test_few_or_equal_points_give_finite_gradients(n):
    x = torch.zeros(n, 3, requires_grad=True)
    discrepancy(x, torch.zeros(n, 3)).backward()
    assert torch.isfinite(x.grad).all()


def test_the_discrepancy_of_a_batch_of_full_size_by_pairs():
    x, y = normal(30, 700), normal(30, 700, seed=1)
    both = torch.cat([x, y]).double()
    square = torch.cdist(both, both).square()
    kernel = sum(torch.exp(-square / (square.sum() / (60 * 59) * 2.0**i)) for i in range(-2, 3))
    expected = kernel[:30, :30].mean() + kernel[30:, 30:].mean() - 2 * kernel[:30, 30:].mean()
    assert float(discrepancy(x, y)) == pytest.approx(float(expected), rel=1e-3)
    # A thousand utterances, and no tensor of all pairs' differences.
    assert torch.isfinite(discrepancy(normal(1000, 700), normal(1000, 700, seed=1)))
