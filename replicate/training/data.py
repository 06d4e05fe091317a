"""A split of a corpus as tensors: standardised, all streams in one tensor, padded with zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from replicate.corpus.types import Corpus, Split
from replicate.training.required import require


@dataclass(frozen=True)
class Batch:
    """Dialogues padded to the longest of them.

    Shapes:
        x: (B, L, width) float32; lengths: (B,) int64; speakers, labels: (B, L) int64, 0 on padding;
        starts: (B,) int64, index of each dialogue's first utterance in its whole split, packed;
        auxiliary: (B, L, width'), auxiliary streams of a distillation method, None without any.
    """

    x: Tensor
    lengths: Tensor
    speakers: Tensor
    labels: Tensor
    starts: Tensor
    auxiliary: Tensor | None = None

    @classmethod
    def whole(
        cls, x: Tensor, lengths: Tensor, speakers: Tensor, labels: Tensor, auxiliary: Tensor | None = None
    ) -> Batch:
        """Return a batch that is a whole split."""
        return cls(x, lengths, speakers, labels, lengths.cumsum(0) - lengths, auxiliary)

    @property
    def auxiliary_width(self) -> int:
        """Columns of the auxiliary streams."""
        return 0 if self.auxiliary is None else self.auxiliary.shape[-1]

    @property
    def present(self) -> Tensor:
        """(B, L) bool: which utterances are real."""
        return torch.arange(self.x.shape[1], device=self.x.device) < self.lengths[:, None]

    def packed_labels(self) -> Tensor:
        """Labels of the real utterances, dialogue after dialogue: (sum of lengths,) int64."""
        return self.labels[self.present]

    def packed_rows(self) -> Tensor:
        """Indices of the real utterances in their whole split, packed: (sum of lengths,) int64."""
        return (self.starts[:, None] + torch.arange(self.x.shape[1], device=self.x.device))[self.present]

    def take(self, chosen: Tensor) -> Batch:
        """Return the chosen dialogues, in that order, cut to the longest of them."""
        lengths = self.lengths[chosen]
        longest = int(lengths.max())
        return Batch(
            self.x[chosen, :longest],
            lengths,
            self.speakers[chosen, :longest],
            self.labels[chosen, :longest],
            self.starts[chosen],
            None if self.auxiliary is None else self.auxiliary[chosen, :longest],
        )

    def shuffled(self, size: int, draws: torch.Generator) -> list[Tensor]:
        """Return the dialogues in shuffled batches of ``size``.

        A batch of a single utterance is merged with its neighbour, because BatchNorm cannot train on one utterance (the
        original code stops with an error).
        """
        order = torch.randperm(len(self.lengths), generator=draws).to(self.lengths.device)
        batches: list[Tensor] = []
        for chosen in order.split(size):
            if batches and 1 in (int(self.lengths[chosen].sum()), int(self.lengths[batches[-1]].sum())):
                chosen = torch.cat([batches.pop(), chosen])
            batches.append(chosen)
        return batches

    def in_order(self, size: int) -> tuple[Tensor, ...]:
        """Return the dialogues in batches of at most ``size``, in the corpus's order."""
        return torch.arange(len(self.lengths), device=self.x.device).split(size)

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on another device."""
        tensors = (self.x, self.lengths, self.speakers, self.labels, self.starts, self.auxiliary)
        return Batch(*(None if tensor is None else tensor.to(device) for tensor in tensors))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Scale:
    """Affine standardisation of one stream, ``(x - mean) / deviation``.

    Shapes:
        mean, deviation: (d,) float32; deviation is 1 where the training split is constant.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def scales(corpus: Corpus, streams: tuple[str, ...]) -> dict[str, Scale]:
    """Compute mean and deviation of every stream on the training split; 0 and 1 if the corpus is not standardised.

    Raises:
        MissingStream, MissingSplit, MissingClass: see ``require``.
    """
    require(corpus, streams)
    found = {}
    for name in streams:
        width = corpus.widths[name]
        mean, deviation = np.zeros(width), np.ones(width)
        if corpus.standardise:
            rows = np.concatenate([dialogue.features[name] for dialogue in corpus.split("train")]).astype(np.float64)
            mean, deviation = rows.mean(0), rows.std(0)
            # A constant column's deviation is 0 up to rounding; dividing by it would amplify the rounding.
            constant = deviation <= 1e-6 * np.abs(rows).max(0)
            deviation = np.where(constant, 1.0, deviation)
        found[name] = Scale(mean.astype(np.float32), deviation.astype(np.float32))
    return found


def tensors(
    corpus: Corpus, split: Split, scaling: dict[str, Scale], auxiliary: dict[str, Scale] | None = None
) -> Batch:
    """Return a split as one padded batch; ``x`` and ``auxiliary`` have the streams of the two scalings, in order."""
    dialogues = corpus.split(split)

    def features(scaling: dict[str, Scale]) -> Tensor:
        rows = [
            np.concatenate([(dialogue.features[name] - s.mean) / s.deviation for name, s in scaling.items()], axis=1)
            for dialogue in dialogues
        ]
        return pad_sequence([torch.from_numpy(array) for array in rows], batch_first=True)

    return Batch.whole(
        features(scaling),
        torch.tensor([len(dialogue) for dialogue in dialogues]),
        pad_sequence([torch.from_numpy(dialogue.speakers) for dialogue in dialogues], batch_first=True),
        pad_sequence([torch.from_numpy(dialogue.labels) for dialogue in dialogues], batch_first=True),
        features(auxiliary) if auxiliary else None,
    )
