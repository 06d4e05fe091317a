"""Mistakes in a method of one's own: one message that names the class and what to do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from replicate import registry
from replicate.errors import BadPlugin
from replicate.model.cogmen import Output
from replicate.training.data import Batch
from replicate.training.distillation import DistillationMethod, MethodLosses, Settings, register
from replicate.training.distillation.loss import Distillation

from ..conftest import method_setup

BATCH = Batch.whole(*(torch.zeros(0, 0) for _ in range(4)))
LABELS = torch.zeros(2, dtype=torch.int64)
OUTPUT = Output(torch.zeros(2, 4), torch.zeros(2, 4), torch.zeros(2, 4).log_softmax(1))


def made(forward, weights):
    """A loss of a method with this ``forward``."""

    @dataclass(frozen=True)
    class GramSettings(Settings):
        pass

    class Gram(DistillationMethod):
        def __init__(self, setup):
            if weights is None:
                self.layer = torch.nn.Linear(2, 2)
            elif weights != "forgotten":
                super().__init__(setup, weights)

        def forward(self, student, teachers, labels):
            return forward(student)

    with registry.temporary():
        register("gram", GramSettings)(Gram)
        return Distillation(method_setup(GramSettings()))


def loss(returned, weights):
    """The logged values and the loss of a batch."""
    distillation = made(lambda student: returned, weights)
    total = distillation(OUTPUT, LABELS, LABELS, BATCH)
    return distillation.logged(), float(total)


ONE = torch.ones(())


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (MethodLosses({"grum": ONE}), r"Gram\.forward returned the loss 'grum', which has no weight .*: gram, other\)"),
        (MethodLosses({"nll": ONE}), r"Gram\.forward returned the loss 'nll'.*nll is always added"),
        ({"gram": ONE}, r"Gram\.forward must return MethodLosses\(losses, logged\), not dict"),
        (None, r"Gram\.forward must return MethodLosses\(losses, logged\), not NoneType"),
        (MethodLosses({"gram": torch.ones(2)}), r"'gram' must be a scalar tensor, not a tensor of shape \(2,\)"),
        (MethodLosses({"gram": 1.0}), r"'gram' must be a scalar tensor, not of type float"),
        (MethodLosses({"gram": ONE}, {"share": "a"}), r"logged value 'share' must be a scalar, not of type str"),
    ],
)
def test_what_forward_returns_is_checked(returned, message):
    with pytest.raises(BadPlugin, match=message):
        loss(returned, {"gram": 1.0, "other": 0.0})


def test_a_loss_of_weight_0_is_logged_and_a_logged_value_may_be_a_number():
    logged, total = loss(MethodLosses({"gram": ONE, "other": ONE}, {"share": 0.5, "count": 3}), {"gram": 1, "other": 0})
    assert logged["other"] == 1 and logged["share"] == 0.5 and logged["count"] == 3
    assert total == pytest.approx(1 + logged["nll"])


@pytest.mark.parametrize("weights", [None, "forgotten"])
def test_an_init_that_does_not_call_that_of_its_base_is_named(weights):
    with pytest.raises(BadPlugin, match=r"'gram' \(class Gram\): its __init__ must begin with super\(\).__init__"):
        made(None, weights)


def test_no_loss_may_have_the_name_of_the_cross_entropy():
    with pytest.raises(BadPlugin, match=r"'gram' \(class Gram\): nll is the cross-entropy"):
        made(None, {"nll": 1.0})
