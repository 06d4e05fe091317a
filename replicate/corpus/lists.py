"""Convert lists with one entry per utterance, as pickles contain them, to checked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.finite import keep_first
from replicate.errors import NotThisFormat, OutOfRange, WrongWidth
from replicate.limits import Budget, shown


def speaker_numbers(values: Any, speakers: Sequence[str], where: str) -> NDArray[np.int64]:
    """Return (n,) int64 indices into ``speakers``; ``where`` names file and dialogue in messages.

    Raises:
        OutOfRange: a value is not one of the speakers.
    """
    for i, value in enumerate(values, 1):
        if not isinstance(value, str) or value not in speakers:
            raise OutOfRange(f"{where}, utterance {i}: speaker {shown(value, 20)} is none of {', '.join(speakers)}")
    return np.array([speakers.index(value) for value in values], np.int64)


def label_numbers(values: Any, classes: int, where: str) -> NDArray[np.int64]:
    """Return (n,) int64 class numbers; ``where`` names file and dialogue in messages.

    Raises:
        NotThisFormat: a value is not an integer. OutOfRange: it is not below ``classes``.
    """
    for i, value in enumerate(values, 1):
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
            raise NotThisFormat(f"{where}, utterance {i}: label {shown(value, 20)} is not a class number")
        if not 0 <= value < classes:
            raise OutOfRange(f"{where}, utterance {i}: label {shown(value)} is outside 0 to {classes - 1}")
    return np.array([int(value) for value in values], np.int64)


def utterance_names(values: Any) -> tuple[str, ...]:
    """Return the names of a dialogue's utterances, or none if some are invalid or repeated; only merging needs them."""
    valid = all(isinstance(x, str) and x.strip() and len(x) <= 100 and x.isprintable() for x in values)
    return tuple(map(str, values)) if valid and len(set(values)) == len(values) else ()


def matrix(rows: Any, where: str, budget: Budget | None = None) -> NDArray[np.float32]:
    """Return (n, d) float32 from n vectors, or (0, 1) from none, which ``Corpus`` refuses.

    Args:
        budget: what the file may unpack to; rows that are one object in the file are as many rows of the result.

    Raises:
        NotThisFormat: an entry is not a vector of numbers. WrongWidth: the vectors differ in length. TooLarge: the
        result is larger than the budget.
    """
    if len(rows) == 0:
        return np.empty((0, 1), np.float32)
    found = None
    with np.errstate(over="ignore"):  # becomes an infinity, which Corpus refuses
        for i, row in enumerate(rows):
            vector = _vector(row)
            if vector is None:
                raise NotThisFormat(f"{where}, utterance {i + 1}: not a vector of numbers")
            if found is None:
                if budget is not None:
                    budget.take(4 * len(rows) * len(vector))
                found = np.empty((len(rows), len(vector)), np.float32)
            if len(vector) != found.shape[1]:
                raise WrongWidth(f"{where}, utterance {i + 1}: {len(vector)} columns after {found.shape[1]}")
            found[i] = vector
    assert found is not None
    return keep_first(found)


def _vector(row: Any) -> NDArray[Any] | None:
    """Return a vector of numbers as an array, None for anything else, whose entries are not looked into."""
    if isinstance(row, (list, tuple)):
        if not all(issubclass(kind, (int, float, np.number)) for kind in set(map(type, row))):
            return None
        row = np.asarray(row)
    return row if isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype.kind in "fiu" else None
