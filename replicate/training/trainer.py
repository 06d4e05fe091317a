"""One run while it trains: its model, its draws, its optimiser, its learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import Diverged
from replicate.model.cogmen import COGMEN, Output
from replicate.model.config import ModelConfig
from replicate.rng import generator, seeded
from replicate.training.config import Budget, RunSpec
from replicate.training.data import Batch
from replicate.training.distillation.base import TeacherOutputs
from replicate.training.distillation.loss import Distillation
from replicate.training.masking import draw_keep
from replicate.training.metrics import weighted_f1


@dataclass(frozen=True)
class Epoch:
    """One line of a learning curve; dev values in the arm's ``select`` context.

    Attributes:
        terms: of a student, means over the epoch of its losses, without their weights, and of what its method notes.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    dev_f1: float
    learning_rate: float
    terms: dict[str, float] = field(default_factory=dict)


class Trainer:
    """A run from its initial weights on.

    Args:
        data: training and dev, as the run sees them.
        taught: what the arm's frozen teachers say.

    Attributes:
        dropout: draws for dropout where several runs train as one.
        weights, best: of the epoch with the best dev F1 so far, and its number.
    """

    def __init__(
        self,
        spec: RunSpec,
        config: ModelConfig,
        device: torch.device,
        data: Mapping[str, Batch],
        teacher_outputs: Sequence[TeacherOutputs] = (),
    ) -> None:
        self.spec = spec
        with seeded(spec.seed, "weights"):
            self.model = COGMEN(config).to(device)
        self.distillation: Distillation | None = None
        if spec.arm.method is not None:
            beside, labels = None, (data["train"].packed_labels(), data["dev"].packed_labels())
            if data["train"].beside is not None:
                with seeded(spec.seed, "weights beside"):
                    beside = COGMEN(
                        replace(config, width=data["train"].beside.shape[-1], projected=0, decoupled=0, hallucinated=0)
                    )
            on_device = [each.to(device) for each in teacher_outputs]
            self.distillation = Distillation(spec, self.model, on_device, labels, beside).to(device)
        modules = [self.model, *([self.distillation] if self.distillation else [])]
        self.optimizer = make_optimizer(modules, spec.budget)
        if self.distillation is not None and len(self.distillation.variances):
            assert spec.arm.method is not None
            self.optimizer.add_param_group(
                {"params": list(self.distillation.variances.values()), "lr": spec.arm.method.weights_rate}
            )
        self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, "min")
        self.order, self.masks = generator(spec.seed, "order"), generator(spec.seed, "masks")
        self.dropout = generator(spec.seed, "dropout", device)
        self.curve: list[Epoch] = []
        self.weights: dict[str, Tensor] = {}
        self.best = 0

    def shuffled(self, train: Batch) -> list[Tensor]:
        """Dialogues of the batches of the next epoch."""
        return train.shuffled(self.spec.budget.batch, self.order)

    def keep(self, lengths: Tensor, widths: dict[str, int]) -> Tensor:
        """What the run's masks leave of a batch of dialogues of these lengths (B,): (B, longest, columns)."""
        shape = len(lengths), int(lengths.max()) if len(lengths) else 0
        if not len(lengths):
            return torch.ones(*shape, sum(widths.values()))
        return draw_keep(self.spec.protocol.masking, *shape, widths, self.masks).expand(*shape, -1)

    def loss(self, output: Output, labels: Tensor, rows: Tensor, batch: Batch) -> Tensor:
        """The loss of utterances, packed; ``batch`` holds them and maybe other runs'. See ``Distillation``."""
        if self.distillation is None:
            return F.nll_loss(output.log_prob, labels)
        loss: Tensor = self.distillation(output, labels, rows, batch)
        return loss

    def judge(self, number: int, train_loss: float, log_prob: Tensor, labels: Tensor) -> Epoch:
        """Judge an epoch on dev, keep its weights if they are the best, and go on.

        Raises:
            Diverged: the loss is no number.
        """
        epoch = Epoch(
            number,
            train_loss,
            float(F.nll_loss(log_prob, labels)),
            weighted_f1(labels.cpu(), log_prob.cpu()),
            self.optimizer.param_groups[0]["lr"],
            self.distillation.logged() if self.distillation else {},
        )
        if not math.isfinite(epoch.train_loss + epoch.dev_loss):
            raise Diverged(
                f"{self.spec.arm.name}, seed {self.spec.seed}: the loss is no number after epoch {number}; check the "
                "scale of the features, or lower the profile's learning_rate"
            )
        self.schedule.step(epoch.dev_loss)
        if not self.curve or epoch.dev_f1 > self.curve[self.best - 1].dev_f1:
            self.best = number
            self.weights = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.curve.append(epoch)
        return epoch


def make_optimizer(modules: Sequence[nn.Module], budget: Budget) -> torch.optim.Adam:
    """Adam as in the released code, over all that is trained."""
    trained = [
        parameter
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and not name.startswith("variances.")  # which have a rate of their own
    ]
    # One kernel for all of a step, instead of a dozen per parameter.
    return torch.optim.Adam(trained, lr=budget.learning_rate, weight_decay=budget.weight_decay, fused=True)
