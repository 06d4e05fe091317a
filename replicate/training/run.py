"""One run: an arm, a seed, a corpus, a protocol, from initial weights to predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from replicate.corpus.types import SPLITS, Corpus, Split
from replicate.errors import Diverged
from replicate.model.cogmen import COGMEN, ModelConfig
from replicate.rng import deterministic, generator, seeded
from replicate.training.data import Batch, Scale, scales, tensors
from replicate.training.distillation import Distillation
from replicate.training.hubert import arranged
from replicate.training.masking import draw_keep, keep_seen
from replicate.training.metrics import weighted_f1
from replicate.training.settings import Arm, Budget, RunSpec


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
    spec: RunSpec,
    corpus: Corpus,
    device: str = "cpu",
    on_epoch: Callable[[Epoch], None] | None = None,
    teacher: Tensor | None = None,
) -> RunResult:
    """Train one arm and predict every split in every context of the arm, at the epoch with the best dev F1.

    ``on_epoch`` is called after every epoch; an exception from it ends the run. ``teacher`` are the embeddings
    that ``embed`` gives for the arm's teacher.

    Raises:
        MissingStream: the corpus lacks a stream or a split. Diverged: the loss is no number.
    """
    began = time.perf_counter()
    arm = spec.arm
    if (arm.teacher is None) != (teacher is None):
        raise ValueError(f"{arm.name}: a student needs its teacher's embeddings, and nobody else does")
    corpus = arranged(corpus, arm, spec.protocol)
    with deterministic(), seeded(spec.seed, "weights"):
        scaling = scales(corpus, arm.streams)
        place = torch.device(device)
        data: dict[str, Batch] = {split: tensors(corpus, split, scaling).to(place) for split in SPLITS}
        config = model_config(spec, corpus)
        model = COGMEN(config).to(place)
        distillation = None
        if teacher is not None:
            distillation = Distillation(spec, teacher, config.hidden * config.gnn_heads, config.classes).to(place)
        with seeded(spec.seed, "dropout"):
            weights, curve, best = _fit(model, spec, data, corpus, distillation, on_epoch)
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


def model_config(spec: RunSpec, corpus: Corpus) -> ModelConfig:
    """The model that a run trains on a corpus."""
    arm, protocol = spec.arm, spec.protocol
    projected = "hubert" in arm.streams and protocol.hubert.projection != "none"
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
        feed_forward=spec.budget.feed_forward,
        # The audio stream is the first of an arm's streams.
        projected=corpus.widths["hubert"] if projected else 0,
        learn_projection=protocol.hubert.projection == "learned",
    )


def embed(
    model: COGMEN, scaling: dict[str, Scale], spec: RunSpec, corpus: Corpus, split: Split = "train", context: str = ""
) -> Tensor:
    """Embeddings (N, hidden * heads) of a split, packed, in eval mode; ``context`` is what the arm was trained on."""
    data = tensors(arranged(corpus, spec.arm, spec.protocol), split, scaling)
    with deterministic():
        return _infer(model, data, spec.arm, context or spec.arm.train, corpus, spec.budget.batch, "graph")


def make_optimizer(modules: Sequence[nn.Module], budget: Budget) -> torch.optim.Adam:
    """Adam as in the released code, over all that is trained."""
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    # One kernel for all of a step, instead of a dozen per parameter.
    return torch.optim.Adam(trained, lr=budget.learning_rate, weight_decay=budget.weight_decay, fused=True)


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """One optimiser step; returns the loss without its graph."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def predict(model: COGMEN, data: Batch, arm: Arm, context: str, corpus: Corpus, size: int = 32) -> Tensor:
    """Log-probabilities (N, classes) of a split as seen in ``context``, in eval mode."""
    return _infer(model, data, arm, context, corpus, size, "log_prob")


@torch.no_grad()
def _infer(model: COGMEN, data: Batch, arm: Arm, context: str, corpus: Corpus, size: int, what: str) -> Tensor:
    """One field of the model's output for a whole split."""
    model.eval()
    keep = keep_seen(_widths(arm, model.config, corpus), arm.seen(context)).to(data.x.device)
    outputs = [model(b.x, b.lengths, b.speakers, keep=keep) for b in data.in_order(size)]
    return torch.cat([getattr(output, what) for output in outputs])


def _widths(arm: Arm, config: ModelConfig, corpus: Corpus) -> dict[str, int]:
    """Columns of each stream in the encoder's input."""
    return {
        name: config.hidden if name == "hubert" and config.projected else corpus.widths[name] for name in arm.streams
    }


def _fit(
    model: COGMEN,
    spec: RunSpec,
    data: dict[str, Batch],
    corpus: Corpus,
    distillation: Distillation | None,
    on_epoch: Callable[[Epoch], None] | None,
) -> tuple[dict[str, Tensor], list[Epoch], int]:
    """The weights of the best epoch, the learning curve, and the number of that epoch."""
    arm, budget = spec.arm, spec.budget
    optimizer = make_optimizer([model, *([distillation] if distillation else [])], budget)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min")
    order, masks = generator(spec.seed, "order"), generator(spec.seed, "masks")
    widths = _widths(arm, model.config, corpus)
    dev_labels = data["dev"].packed_labels()
    curve: list[Epoch] = []
    weights: dict[str, Tensor] = {}
    best = 0
    for number in range(1, budget.epochs + 1):
        model.train()
        losses = []
        for batch in data["train"].shuffled(budget.batch, order):
            keep = None
            if arm.masked:
                dialogues, utterances = batch.labels.shape
                keep = draw_keep(spec.protocol.masking, dialogues, utterances, widths, masks).to(batch.x.device)
            output = model(batch.x, batch.lengths, batch.speakers, keep=keep)
            labels = batch.packed_labels()
            if distillation is None:
                loss = F.nll_loss(output.log_prob, labels)
            else:
                loss = distillation(output, labels, batch.packed_rows())
            losses.append(update(optimizer, loss))
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
