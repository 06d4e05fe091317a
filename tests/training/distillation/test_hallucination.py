import pytest
import torch

from replicate.training.distillation.hallucination import discrepancy, guess_loss


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_squared_error():
    assert float(guess_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]), "mse")) == 2.5


def test_clouds_of_one_kind_are_nearer_than_shifted_ones():
    x = normal(200, 5)
    assert float(guess_loss(x, x[torch.randperm(200)], "mmd")) == pytest.approx(0, abs=1e-5)
    alike, apart = (float(discrepancy(x, normal(200, 5, seed=1) + shift)) for shift in (0, 1))
    assert 0 <= alike < 0.1 * apart


@pytest.mark.parametrize("n", [1, 2])
def test_clouds_of_hardly_any_or_equal_points_give_numbers(n):
    x = torch.zeros(n, 3, requires_grad=True)
    discrepancy(x, torch.zeros(n, 3)).backward()
    assert torch.isfinite(x.grad).all()
