import math

import pytest
import torch

from replicate.training.distillation.base import UtteranceOutputs
from replicate.training.distillation.logits import LogitsDistillation, softened_divergence
from replicate.training.methods.logits import LogitsSettings

from ..conftest import method_setup


def test_by_hand():
    """At temperature 2 logits (2 ln 3, 0) are odds of 3 to 1, and (0, 0) even ones."""
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    expected = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert float(softened_divergence(student, teacher, 2.0)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
def test_equal_logits_have_no_loss_also_when_all_are_shifted(temperature):
    teacher = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.0, -1.0]])
    shifted = teacher + torch.tensor([[5.0], [-3.0]])
    assert softened_divergence(shifted, teacher, temperature).abs().max() < 1e-5


def test_the_size_of_the_gradient_hardly_depends_on_a_high_temperature():
    teacher, sizes = torch.tensor([[1.0, -1.0, 0.0]]), []
    for temperature in (10.0, 20.0):
        student = torch.zeros(1, 3, requires_grad=True)
        softened_divergence(student, teacher, temperature).sum().backward()
        sizes.append(float(student.grad.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_only_the_first_teacher_counts():
    student = UtteranceOutputs(torch.zeros(2, 3), torch.zeros(2, 2, requires_grad=True))
    first, second = (UtteranceOutputs(torch.zeros(2, 3), torch.tensor([[i, 0.0]] * 2)) for i in (2.0, -7.0))
    method = LogitsDistillation(method_setup(LogitsSettings(logits_weight=0.5)))
    losses, logged = method(student, [first, second], torch.tensor([0, 1]))
    assert method.weights == {"logits": 0.5} and not logged
    assert torch.equal(losses["logits"], method(student, [first], torch.tensor([0, 1])).losses["logits"])
