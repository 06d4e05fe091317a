"""Convert lists with one entry per utterance, as pickles contain them, to checked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.errors import NotThisFormat, OutOfRange, WrongWidth


def speaker_numbers(values: Any, speakers: Sequence[str], where: str) -> NDArray[np.int64]:
    """Return (n,) int64 indices into ``speakers``; ``where`` names file and dialogue in messages.

    Raises:
        OutOfRange: a value is not one of the speakers.
    """
    for i, value in enumerate(values, 1):
        if not isinstance(value, str) or value not in speakers:
            raise OutOfRange(f"{where}, utterance {i}: speaker {str(value)[:20]!r} is none of {', '.join(speakers)}")
    return np.array([speakers.index(value) for value in values], np.int64)


def label_numbers(values: Any, classes: int, where: str) -> NDArray[np.int64]:
    """Return (n,) int64 class numbers; ``where`` names file and dialogue in messages.

    Raises:
        NotThisFormat: a value is not an integer. OutOfRange: it is not below ``classes``.
    """
    for i, value in enumerate(values, 1):
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
            raise NotThisFormat(f"{where}, utterance {i}: label {str(value)[:20]!r} is not a class number")
        if not 0 <= value < classes:
            raise OutOfRange(f"{where}, utterance {i}: label {value} is outside 0 to {classes - 1}")
    return np.array([int(value) for value in values], np.int64)


def utterance_names(values: Any) -> tuple[str, ...]:
    """Return the names of a dialogue's utterances, or none if some are invalid or repeated; only merging needs them."""
    valid = all(isinstance(x, str) and x.strip() and len(x) <= 100 and x.isprintable() for x in values)
    return tuple(map(str, values)) if valid and len(set(values)) == len(values) else ()


def matrix(rows: Any, where: str) -> NDArray[np.float32]:
    """Return (n, d) float32 from n vectors, or (0, 1) from none, which ``Corpus`` refuses.

    Raises:
        NotThisFormat: an entry is not a vector of numbers. WrongWidth: the vectors differ in length.
    """
    vectors: list[NDArray[Any]] = []
    for i, row in enumerate(rows, 1):
        try:
            vector = np.asarray(row)
        except ValueError:  # nested lists of different lengths
            vector = np.empty((), object)
        if vector.ndim != 1 or vector.dtype.kind not in "fiu":
            raise NotThisFormat(f"{where}, utterance {i}: not a vector of numbers")
        if vectors and len(vector) != len(vectors[0]):
            raise WrongWidth(f"{where}, utterance {i}: {len(vector)} columns after {len(vectors[0])}")
        vectors.append(vector)
    if not vectors:
        return np.empty((0, 1), np.float32)
    with np.errstate(over="ignore"):  # becomes an infinity, which Corpus refuses
        return np.stack(vectors).astype(np.float32)
