"""The state of one run while it trains: model, random generators, optimiser, learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import Diverged
from replicate.model.cogmen import COGMEN, Output
from replicate.model.config import ModelConfig
from replicate.rng import generator, seeded
from replicate.training.config import Budget, RunSpec
from replicate.training.data import Batch
from replicate.training.distillation.base import MethodSetup, TeacherOutputs
from replicate.training.distillation.loss import Distillation
from replicate.training.metrics import weighted_f1


@dataclass(frozen=True)
class Epoch:
    """One line of a learning curve; dev values in the arm's ``select`` context.

    Attributes:
        logged: for a student, epoch means of its losses, before weighting, and of the values that its method logs.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    dev_f1: float
    learning_rate: float
    logged: dict[str, float] = field(default_factory=dict)


class Trainer:
    """State of one run while it trains.

    Args:
        data: training and dev split, by name.
        teacher_outputs: one entry for each of the arm's frozen teachers.

    Attributes:
        dropout: random generator for dropout if several runs train as one program.
        weights, best: the weights of the epoch with the best dev F1 so far, and that epoch's number.
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
            setup = MethodSetup(
                spec.arm.method,
                spec,
                self.model,
                [each.to(device) for each in teacher_outputs],
                (data["train"].packed_labels(), data["dev"].packed_labels()),
                data["train"].auxiliary_width,
            )
            self.distillation = Distillation(setup).to(device)
        modules = [self.model, *([self.distillation] if self.distillation else [])]
        self.optimizer = make_optimizer(modules, spec.budget)
        if self.distillation is not None and len(self.distillation.variances):
            rate = self.distillation.method.weights_rate
            self.optimizer.add_param_group({"params": list(self.distillation.variances.values()), "lr": rate})
        self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, "min")
        self.order, self.masks = generator(spec.seed, "order"), generator(spec.seed, "masks")
        self.dropout = generator(spec.seed, "dropout", device)
        self.masking = spec.protocol.masking
        self.curve: list[Epoch] = []
        self.weights: dict[str, Tensor] = {}
        self.best = 0

    def start_epoch(self, progress: float) -> None:
        """Prepare an epoch; ``progress`` is 0 in the first and 1 in the last one."""
        self.masking = self.spec.protocol.masking.at(progress)

    def shuffled(self, train: Batch) -> list[Tensor]:
        """Return the indices of the dialogues of each batch of the next epoch."""
        return train.shuffled(self.spec.budget.batch, self.order)

    def keep(self, lengths: Tensor, widths: dict[str, int]) -> Tensor:
        """Draw a mask for dialogues of these lengths (B,): 1 to keep a column, 0 to hide it, (B, longest, columns)."""
        shape = len(lengths), int(lengths.max()) if len(lengths) else 0
        if not len(lengths):
            return torch.ones(*shape, sum(widths.values()))
        return self.masking.draw(*shape, widths, self.masks).expand(*shape, -1)

    def loss(self, output: Output, labels: Tensor, rows: Tensor, batch: Batch) -> Tensor:
        """Compute the loss for the run's utterances; the batch may also hold other runs'. See ``Distillation``."""
        if self.distillation is None:
            return F.nll_loss(output.log_prob, labels)
        loss: Tensor = self.distillation(output, labels, rows, batch)
        return loss

    def step(self) -> None:
        """Take an optimiser step, with clipped gradients if the distillation method asks for it."""
        clip = 0.0 if self.distillation is None else self.distillation.method.clip
        if clip:
            nn.utils.clip_grad_value_([p for group in self.optimizer.param_groups for p in group["params"]], clip)
        self.optimizer.step()

    def judge(self, number: int, train_loss: float, log_prob: Tensor, labels: Tensor) -> Epoch:
        """Score an epoch on dev, keep its weights if they are the best so far, and step the learning rate schedule.

        Raises:
            Diverged: the loss is NaN or infinite.
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
                f"{self.spec.arm.name}, seed {self.spec.seed}: the loss is NaN or infinite after epoch {number}"
                f"{self._not_finite(epoch)}; check the scale of the features, or lower the profile's learning_rate"
            )
        self.schedule.step(epoch.dev_loss)
        if not self.curve or epoch.dev_f1 > self.curve[self.best - 1].dev_f1:
            self.best = number
            self.weights = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.curve.append(epoch)
        return epoch

    def _not_finite(self, epoch: Epoch) -> str:
        """Return the method's name, and the names of its losses that are not finite, in parentheses."""
        method = self.spec.arm.method
        if method is None:
            return ""
        names = ", ".join(name for name, value in epoch.logged.items() if not math.isfinite(value))
        return f" (method {method.method}; not finite: {names or 'outputs on dev'})"


def make_optimizer(modules: Sequence[nn.Module], budget: Budget) -> torch.optim.Adam:
    """Adam as in the released code, over all parameters that are trained, except the variances of losses."""
    trained = [
        parameter
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and not name.startswith("variances.")  # they have a learning rate of their own
    ]
    # Fused: one kernel for a whole step, instead of a dozen per parameter.
    return torch.optim.Adam(trained, lr=budget.learning_rate, weight_decay=budget.weight_decay, fused=True)
