"""What the relations between the speakers of a corpus take in memory: every pair of speakers has weights of its own."""

from __future__ import annotations

import math

from replicate.corpus.types import Corpus
from replicate.errors import TooLarge
from replicate.model.config import ModelConfig

GIB = 2**30
# A model of this size is noted, and a larger one refused, before anything is trained.
NOTED, MOST = GIB, 8 * GIB
# Weights, gradients, and the two moments of Adam.
_COPIES = 4
_BYTES = 4


def of(speakers: int) -> int:
    """Return the bytes that the relations take in training one run: two for every pair of speakers (section 3.1)."""
    return 2 * speakers**2 * ModelConfig.hidden**2 * _BYTES * _COPIES


def check(corpus: Corpus) -> None:
    """Refuse a corpus whose relations take more than ``MOST``.

    Raises:
        TooLarge: naming the size, the limit and the number of speakers that it allows.
    """
    if of(len(corpus.speakers)) > MOST:
        most = math.isqrt(MOST // of(1))
        raise TooLarge(
            f"corpus {corpus.name} has {_size(corpus)}, where {MOST // GIB} GiB is the most: have at most {most} names "
            "of speakers, for example by naming them by their role in a dialogue, such as A and B"
        )


def remarks(corpus: Corpus) -> list[str]:
    """Return a line for a corpus whose relations take much memory."""
    taken = of(len(corpus.speakers))
    refused = f", where training allows {MOST // GIB} GiB" if taken > MOST else ""
    return [f"corpus {corpus.name} has {_size(corpus)}{refused}"] if taken > NOTED else []


def _size(corpus: Corpus) -> str:
    n = len(corpus.speakers)
    return (
        f"{n} speakers, and the weights of their {2 * n**2:,} relations take {of(n) / GIB:.1f} GiB in training each run"
    )
