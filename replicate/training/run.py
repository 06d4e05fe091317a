"""One run: an arm, a seed, a corpus, a protocol, from initial weights to predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from replicate.corpus.types import SPLITS, Corpus
from replicate.errors import Diverged
from replicate.model.cogmen import COGMEN, ModelConfig, Output
from replicate.rng import deterministic, generator, seeded
from replicate.training.data import Batch, Scale, scales, tensors
from replicate.training.masking import draw_keep, zero_unseen
from replicate.training.metrics import weighted_f1
from replicate.training.settings import CONTEXTS, Arm, Protocol, RunSpec


@dataclass(frozen=True)
class Epoch:
    """One line of a learning curve; dev values in the arm's ``select`` context."""

    epoch: int
    train_loss: float
    dev_loss: float
    dev_f1: float
    learning_rate: float


@dataclass(frozen=True)
class RunResult:
    """What a run leaves behind.

    Shapes:
        log_prob: (split, context) -> (N, classes) float32, dialogue after dialogue in the corpus's order.
    """

    model: ModelConfig
    weights: dict[str, Tensor]
    scaling: dict[str, Scale]
    log_prob: dict[tuple[str, str], NDArray[np.float32]]
    curve: tuple[Epoch, ...]
    best_epoch: int
    seconds: float


def train(
    spec: RunSpec, corpus: Corpus, device: str = "cpu", on_epoch: Callable[[Epoch], None] | None = None
) -> RunResult:
    """Train one arm and predict every split in every context of the arm, at the epoch with the best dev F1.

    ``on_epoch`` is called after every epoch; an exception from it ends the run.

    Raises:
        MissingStream: the corpus lacks a stream or a split. Diverged: the loss is no number.
    """
    began = time.perf_counter()
    arm = spec.arm
    with deterministic(), seeded(spec.seed, "weights"):
        scaling = scales(corpus, arm.streams)
        place = torch.device(device)
        data: dict[str, Batch] = {split: tensors(corpus, split, scaling).to(place) for split in SPLITS}
        config = model_config(arm, spec.protocol, corpus)
        model = COGMEN(config).to(place)
        with seeded(spec.seed, "dropout"):
            weights, curve, best = _fit(model, spec, data, corpus, on_epoch)
        model.load_state_dict(weights)
        log_prob = {
            (split, context): predict(model, data[split], arm, context, corpus, spec.budget.batch)
            for split in SPLITS
            for context in arm.contexts
        }
    return RunResult(
        config,
        {name: tensor.cpu() for name, tensor in weights.items()},
        scaling,
        {key: value.cpu().numpy() for key, value in log_prob.items()},
        tuple(curve),
        best,
        time.perf_counter() - began,
    )


def model_config(arm: Arm, protocol: Protocol, corpus: Corpus) -> ModelConfig:
    """The model that an arm trains on a corpus."""
    return ModelConfig(
        width=sum(corpus.widths[name] for name in arm.streams),
        classes=len(corpus.labels),
        speakers=len(corpus.speakers),
        context_layers=arm.context_layers,
        gnn_heads=arm.gnn_heads,
        past=arm.window[0],
        future=arm.window[1],
        dropout=arm.dropout,
        attend_padding=protocol.attend_padding,
    )


def make_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Adam:
    """Adam as in the released code."""
    return torch.optim.Adam(model.parameters(), lr=learning_rate, weight_decay=weight_decay)


def update(optimizer: torch.optim.Optimizer, output: Output, labels: Tensor) -> Tensor:
    """One optimiser step; the loss before it, mean over utterances, as a scalar on the model's device.

    Shapes:
        labels: (N,) int64, packed like the output.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = F.nll_loss(output.log_prob, labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


@torch.no_grad()
def predict(model: COGMEN, data: Batch, arm: Arm, context: str, corpus: Corpus, size: int = 32) -> Tensor:
    """Log-probabilities (N, classes) of a split as seen in ``context``, in eval mode."""
    model.eval()
    widths = {name: corpus.widths[name] for name in arm.streams}
    batches = data.in_order(size)
    seen = [zero_unseen(batch.x, widths, CONTEXTS[context]) for batch in batches]
    return torch.cat([model(x, batch.lengths, batch.speakers).log_prob for x, batch in zip(seen, batches, strict=True)])


def _fit(
    model: COGMEN,
    spec: RunSpec,
    data: dict[str, Batch],
    corpus: Corpus,
    on_epoch: Callable[[Epoch], None] | None,
) -> tuple[dict[str, Tensor], list[Epoch], int]:
    """The weights of the best epoch, the learning curve, and the number of that epoch."""
    arm, budget = spec.arm, spec.budget
    optimizer = make_optimizer(model, budget.learning_rate, budget.weight_decay)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min")
    order, masks = generator(spec.seed, "order"), generator(spec.seed, "masks")
    widths = {name: corpus.widths[name] for name in arm.streams}
    dev_labels = data["dev"].packed_labels()
    curve: list[Epoch] = []
    weights: dict[str, Tensor] = {}
    best = 0
    for number in range(1, budget.epochs + 1):
        model.train()
        losses = []
        for batch in data["train"].shuffled(budget.batch, order):
            if arm.masked:
                keep = draw_keep(spec.protocol.masking, batch.x.shape[0], batch.x.shape[1], widths, masks)
                batch = replace(batch, x=batch.x * keep.to(batch.x.device))
            output = model(batch.x, batch.lengths, batch.speakers)
            losses.append(update(optimizer, output, batch.packed_labels()))
        log_prob = predict(model, data["dev"], arm, arm.select, corpus, budget.batch)
        epoch = Epoch(
            number,
            float(torch.stack(losses).mean()),
            float(F.nll_loss(log_prob, dev_labels)),
            weighted_f1(dev_labels.cpu(), log_prob.cpu()),
            optimizer.param_groups[0]["lr"],
        )
        if not math.isfinite(epoch.train_loss + epoch.dev_loss):
            raise Diverged(
                f"{arm.name}, seed {spec.seed}: the loss is no number after epoch {number}; check the scale of "
                "the features, or lower the profile's learning_rate"
            )
        schedule.step(epoch.dev_loss)
        if not curve or epoch.dev_f1 > curve[best - 1].dev_f1:
            best = number
            weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        curve.append(epoch)
        if on_epoch is not None:
            on_epoch(epoch)
    return weights, curve, best
