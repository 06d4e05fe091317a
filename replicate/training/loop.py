"""Training: from an arm, a seed, a corpus and a protocol to weights and predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from replicate.corpus.types import SPLITS, Corpus
from replicate.errors import WrongTeacher
from replicate.model.cogmen import COGMEN, Output
from replicate.model.config import ModelConfig
from replicate.model.seed_layers import SeedBatch
from replicate.model.seed_stack import scatter_gradients, stack
from replicate.rng import deterministic, seeded
from replicate.training.config import RunSpec
from replicate.training.data import Batch, Scale, scales, tensors
from replicate.training.distillation.base import TeacherOutputs, origin
from replicate.training.frozen_projection import freeze
from replicate.training.imperfect import used_for_training, with_privileged_noise
from replicate.training.inference import infer, predict, stream_widths
from replicate.training.released_order import apply_feature_order
from replicate.training.required import require
from replicate.training.trainer import Epoch, Trainer


@dataclass(frozen=True)
class RunResult:
    """Result of a run.

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
    teacher_outputs: Sequence[TeacherOutputs] = (),
) -> RunResult:
    """Train one arm and predict every split in every context of the arm, at the epoch with the best dev F1.

    ``on_epoch`` is called after every epoch; an exception from it ends the run. ``teacher_outputs`` has one entry for
    each of the arm's teachers, from ``compute_teacher_outputs``.

    Raises:
        MissingStream, MissingSplit, MissingClass: see ``data.require``. Diverged: the loss is NaN or infinite.
        WrongTeacher: a teacher was trained on another corpus or under other settings of the protocol.
    """
    each_epoch = None if on_epoch is None else lambda _, epoch: on_epoch(epoch)
    return train_seed_group([spec], corpus, device, each_epoch, [teacher_outputs])[0]


def train_seed_group(
    specs: Sequence[RunSpec],
    corpus: Corpus,
    device: str = "cpu",
    on_epoch: Callable[[RunSpec, Epoch], None] | None = None,
    teacher_outputs: Sequence[Sequence[TeacherOutputs]] = (),
) -> list[RunResult]:
    """Train runs that differ only in their seeds as one program; see ``train``.

    Every run draws the same random numbers as when it trains alone, so results are equal up to the order of sums.

    Raises:
        See ``train``.
    """
    began = time.perf_counter()
    first, arm = specs[0], specs[0].arm
    if any(replace(spec, seed=first.seed) != first for spec in specs):
        raise ValueError("only runs that differ in nothing but their seeds can train as one program")
    if arm.data_of_seed and len(specs) > 1:
        raise ValueError(f"runs of {arm.name} cannot train as one program: their data depend on the seed")
    teacher_outputs = teacher_outputs or [()] * len(specs)
    for each in teacher_outputs:
        _check_teacher_outputs(each, first, corpus)
    corpus = apply_feature_order(corpus, arm, first.protocol)
    with deterministic():
        scaling, auxiliary, used, corpus = _prepared(first, corpus)
        place = torch.device(device)
        data: dict[str, Batch] = {split: tensors(corpus, split, scaling, auxiliary).to(place) for split in SPLITS}
        # Of the whole training split predictions are saved, and students get outputs.
        fitted = data if used is corpus else data | {"train": tensors(used, "train", scaling, auxiliary).to(place)}
        config = model_config(first, corpus)
        trainers = [
            Trainer(spec, config, place, fitted, each) for spec, each in zip(specs, teacher_outputs, strict=True)
        ]
        if config.projected:
            freeze(first.projection, [trainer.model for trainer in trainers], fitted["train"])
        with seeded(first.seed, "dropout"):
            _fit(trainers, fitted, corpus, on_epoch)
        found = []
        for trainer in trainers:
            trainer.model.load_state_dict(trainer.weights)
            log_prob = {
                (split, context): predict(trainer.model, data[split], arm, context, corpus, first.budget.batch)
                for split in SPLITS
                for context in arm.contexts
            }
            found.append((trainer, log_prob))
    seconds = (time.perf_counter() - began) / len(specs)
    return [
        RunResult(
            config,
            {name: tensor.cpu() for name, tensor in trainer.weights.items()},
            scaling,
            {key: value.cpu().numpy() for key, value in log_prob.items()},
            tuple(trainer.curve),
            trainer.best,
            seconds,
        )
        for trainer, log_prob in found
    ]


def _prepared(spec: RunSpec, corpus: Corpus) -> tuple[dict[str, Scale], dict[str, Scale], Corpus, Corpus]:
    """Return the scaling of the input and of auxiliary streams, the corpus to train on, and the one to predict.

    The two corpora are the same object, unless the arm is trained on imperfect data.
    """
    arm, seed = spec.arm, spec.seed
    require(corpus, arm.streams)
    scaled_on = used_for_training(corpus, arm, seed)
    scaling, auxiliary = (scales(scaled_on, streams) for streams in (arm.streams, arm.auxiliary_streams))
    corpus = with_privileged_noise(corpus, arm, seed, scaling | auxiliary)
    return scaling, auxiliary, used_for_training(corpus, arm, seed), corpus


def _check_teacher_outputs(teacher_outputs: Sequence[TeacherOutputs], spec: RunSpec, corpus: Corpus) -> None:
    """Check that there is one entry per teacher, from this corpus and with these settings of the protocol."""
    arm = spec.arm
    if len(teacher_outputs) != len(arm.teachers):
        raise ValueError(
            f"{arm.name} needs the outputs of its {len(arm.teachers)} teachers, not of {len(teacher_outputs)}"
        )
    for teacher, outputs in zip(arm.teachers, teacher_outputs, strict=True):
        if outputs.origin != origin(corpus, teacher, spec.protocol):
            raise WrongTeacher(
                f"{arm.name}: its teacher {teacher.name} was trained on another corpus than {corpus.name}, or under "
                f"another protocol than {spec.protocol.name}: train it on the same"
            )


def model_config(spec: RunSpec, corpus: Corpus) -> ModelConfig:
    """Return the configuration of the model that a run trains on a corpus."""
    arm, protocol = spec.arm, spec.protocol
    widths = (arm.hidden if name == spec.projected else corpus.widths[name] for name in arm.streams)
    return ModelConfig(
        width=sum(corpus.widths[name] for name in arm.streams),
        classes=len(corpus.labels),
        speakers=len(corpus.speakers),
        hidden=arm.hidden,
        context_layers=arm.model.context_layers,
        gnn_heads=arm.model.gnn_heads,
        past=arm.window[0],
        future=arm.window[1],
        dropout=arm.model.dropout,
        attend_padding=protocol.attend_padding,
        feed_forward=spec.budget.feed_forward,
        # The audio stream is the first of an arm's streams.
        projected=corpus.widths[spec.projected] if spec.projected else 0,
        learn_projection=spec.projection == "learned",
        projection_bias=spec.projection in ("random", "random-per-run"),
        context=arm.context,
        causal=arm.causal,
        memory=arm.memory,
        stream_widths=tuple(widths) if arm.fusion == "late" else (),
        **arm.model_heads,
    )


def _fit(
    trainers: Sequence[Trainer],
    data: dict[str, Batch],
    corpus: Corpus,
    on_epoch: Callable[[RunSpec, Epoch], None] | None,
) -> None:
    """Train all runs for the epochs that their budget gives them on this corpus, or the arm's share of them."""
    arm, budget, spec = trainers[0].spec.arm, trainers[0].spec.budget, trainers[0].spec
    alone = len(trainers) == 1
    models = [trainer.model for trainer in trainers]
    whole = models[0] if alone else stack(models)
    widths = stream_widths(arm, whole.config, corpus)
    dev_labels = data["dev"].packed_labels()
    whole_budget = spec.epochs_of_budget(corpus)  # an arm that stops early has the masks of one that does not
    for trainer in trainers:
        # Where epochs have fewer steps, there are more of them: the schedule then waits for more epochs, too.
        trainer.schedule.patience = round(trainer.schedule.patience * whole_budget / budget.epochs)
    for number in range(1, spec.epochs(corpus) + 1):
        whole.train()
        for trainer in trainers:
            trainer.start_epoch((number - 1) / max(whole_budget - 1, 1))
        losses: list[list[Tensor]] = [[] for _ in trainers]
        for step in zip_longest(*(trainer.shuffled(data["train"]) for trainer in trainers)):
            active = [i for i, chosen in enumerate(step) if chosen is not None]
            for i, loss in zip(active, _step(whole, trainers, data["train"], step, widths), strict=True):
                losses[i].append(loss)
        if not alone:
            whole.eval()
        predicted = infer(whole, data["dev"], arm, arm.select, corpus, budget.batch, len(trainers))
        for trainer, (log_prob,), values in zip(trainers, predicted, losses, strict=True):
            epoch = trainer.judge(number, float(torch.stack(values).mean()), log_prob, dev_labels)
            if on_epoch is not None:
                on_epoch(trainer.spec, epoch)


def _step(
    whole: COGMEN, trainers: Sequence[Trainer], train: Batch, step: Sequence[Tensor | None], widths: dict[str, int]
) -> list[Tensor]:
    """Take one optimiser step of every run that still has a batch in this epoch; return their losses.

    Args:
        whole: the model, or all runs' models stacked.
        step: for each run the dialogues of its batch, None if it has no more.
    """
    empty = torch.empty(0, dtype=torch.int64, device=train.lengths.device)
    chosen = [empty if one is None else one for one in step]
    batch = train.take(torch.cat(chosen))
    seed_batch = None
    if len(trainers) > 1:
        seed_batch = SeedBatch.several(
            batch.lengths, [len(one) for one in chosen], [trainer.dropout for trainer in trainers]
        )
    keep = None
    if trainers[0].spec.arm.masked:
        masks = [trainer.keep(train.lengths[one], widths) for trainer, one in zip(trainers, chosen, strict=True)]
        keep = torch.cat([F.pad(mask, (0, 0, 0, batch.x.shape[1] - mask.shape[1])) for mask in masks]).to(
            batch.x.device
        )
    with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=trainers[0].spec.precision == "bf16"):
        output = whole(batch.x, batch.lengths, batch.speakers, keep=keep, seed_batch=seed_batch)
    output = Output(*(field.to(torch.promote_types(field.dtype, torch.float32)) for field in output))
    counts = list(seed_batch.counts) if seed_batch else [len(output.log_prob)]
    pieces = zip(*(t.split(counts) for t in (*output, batch.packed_labels(), batch.packed_rows())), strict=True)
    losses = {
        trainer: trainer.loss(Output(*piece[:3]), piece[3], piece[4], batch)
        for trainer, piece, one in zip(trainers, pieces, step, strict=True)
        if one is not None
    }
    for trainer in losses:
        trainer.optimizer.zero_grad(set_to_none=True)
    whole.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()
    if seed_batch:
        scatter_gradients(whole, [trainer.model for trainer in trainers])
    for trainer in losses:
        trainer.step()
    return [loss.detach() for loss in losses.values()]
