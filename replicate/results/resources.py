"""What a model needs at inference: parameters, operations and memory, computed from its configuration alone."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_high

from replicate.corpus.types import Corpus


@dataclass(frozen=True)
class Resources:
    """What a model needs to predict a dialogue by itself; the same numbers on every machine.

    Attributes:
        model: hash of the model's configuration.
        utterances: length of the dialogue.
        parameters: of the model, without heads and models that only training uses.
        flops: floating-point operations for each utterance in matrix products, two for each multiplication with
            addition. Element-wise operations and Fourier transforms are not counted.
        peak_bytes: the most that weights and tensors occupy at a time, without the libraries.
    """

    model: str
    utterances: int
    parameters: int
    flops: float
    peak_bytes: int


def median_length(corpus: Corpus) -> int:
    """Return the median number of utterances of the corpus's dialogues; of two middle ones the larger."""
    return median_high([len(dialogue) for dialogue in corpus.dialogues])
