"""A trained model's outputs for a split of a corpus."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from replicate.corpus.types import Corpus, Split
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.model.seed_layers import SeedBatch
from replicate.rng import deterministic
from replicate.training.config import Arm, RunSpec
from replicate.training.data import Batch, Scale, tensors
from replicate.training.distillation.base import TeacherOutputs, UtteranceOutputs, origin
from replicate.training.imperfect import with_privileged_noise
from replicate.training.masking.base import keep_seen
from replicate.training.released_order import apply_feature_order


def compute_teacher_outputs(model: COGMEN, scaling: dict[str, Scale], spec: RunSpec, corpus: Corpus) -> TeacherOutputs:
    """Compute a trained model's outputs for the training and dev split, in the context it was trained on."""
    train, dev = (_forward_split(model, scaling, spec, corpus, split, spec.arm.train) for split in ("train", "dev"))
    return TeacherOutputs(train, dev, origin(corpus, spec.arm, spec.protocol))


def embed(
    model: COGMEN, scaling: dict[str, Scale], spec: RunSpec, corpus: Corpus, split: Split = "train", context: str = ""
) -> Tensor:
    """Compute packed embeddings (N, hidden * heads) of a split in eval mode, by default in the training context."""
    return _forward_split(model, scaling, spec, corpus, split, context or spec.arm.train).embedding


def _forward_split(
    model: COGMEN, scaling: dict[str, Scale], spec: RunSpec, corpus: Corpus, split: Split, context: str
) -> UtteranceOutputs:
    corpus = apply_feature_order(corpus, spec.arm, spec.protocol)
    data = tensors(with_privileged_noise(corpus, spec.arm, spec.seed, scaling), split, scaling)
    with deterministic():
        fields = infer(model, data, spec.arm, context, corpus, spec.budget.batch, fields=("graph", "log_prob"))[0]
    return UtteranceOutputs(*fields)


def predict(model: COGMEN, data: Batch, arm: Arm, context: str, corpus: Corpus, size: int = 32) -> Tensor:
    """Compute log-probabilities (N, classes) of a split in ``context``, in eval mode."""
    return infer(model, data, arm, context, corpus, size)[0][0]


@torch.no_grad()
def infer(
    model: COGMEN,
    data: Batch,
    arm: Arm,
    context: str,
    corpus: Corpus,
    size: int,
    runs: int = 1,
    fields: Sequence[str] = ("log_prob",),
) -> list[list[Tensor]]:
    """Compute fields of the model's ``Output`` for a whole split.

    Embeddings of a large corpus take gigabytes, so only the fields that are asked for are kept.

    Args:
        runs: number of models in the stack, see ``seed_stack``.

    Shapes:
        Returns for each run a list of one tensor per field, with the utterances of the split as rows.
    """
    model.eval()
    keep = keep_seen(stream_widths(arm, model.config, corpus), arm.seen(context)).to(data.x.device)
    outputs: list[list[list[Tensor]]] = [[[] for _ in fields] for _ in range(runs)]
    for chosen in data.in_order(size):
        batch = data.take(chosen.repeat(runs))
        seed_batch = None if runs == 1 else SeedBatch.several(batch.lengths, [len(chosen)] * runs)
        output = model(batch.x, batch.lengths, batch.speakers, keep=keep, seed_batch=seed_batch)
        for number, field in enumerate(fields):
            for run, piece in zip(outputs, getattr(output, field).chunk(runs), strict=True):
                run[number].append(piece)
    return [[torch.cat(pieces) for pieces in run] for run in outputs]


def stream_widths(arm: Arm, config: ModelConfig, corpus: Corpus) -> dict[str, int]:
    """Return the columns of each stream in the encoder's input."""
    return {
        name: config.hidden if name == arm.audio and config.projected else corpus.widths[name] for name in arm.streams
    }
