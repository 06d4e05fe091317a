"""Read one array of a run's ``predictions.npz``, and check it against the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate import npz
from replicate.limits import too_little_memory

# Largest error of a sum of probabilities; rounding to float32 makes one of 1e-6.
TOLERANCE = 1e-3


def read(path: Path, key: str, classes: int, speakers: int) -> NDArray[Any]:
    """Return an array of a run's predictions.

    Args:
        key: ``SPLIT/dialogue``, ``SPLIT/speaker``, ``SPLIT/label``, or ``SPLIT/CONTEXT`` for log-probabilities.
        classes, speakers: how many the corpus has; 0 speakers if that is not known.

    Raises:
        ValueError: it is missing, or has the wrong type, shape or range. TooLarge, TooLittleMemory: for a file of its
        size, or for this machine. Any other error of ``zipfile`` and ``zlib``.
    """
    split, _, what = key.partition("/")
    try:
        with npz.open_npz(path) as archive:
            missing = [name for name in (key, f"{split}/label") if name not in archive]
            if missing:
                raise ValueError(f"{missing[0]} is not in the file")
            head, labels = archive.head(key), archive.head(f"{split}/label")
            kind = {"dialogue": "U", "speaker": "iu", "label": "iu"}.get(what, "f")
            columns = (classes,) if kind == "f" else ()
            if head.dtype.kind not in kind or head.shape != (labels.entries, *columns):
                raise ValueError(f"{key} is of shape {head.shape} for {labels.entries} labels and {classes} classes")
            npz.budget(path, "train again").take(head.size + 72 * head.entries)
            array = archive.read(key, head)
    except MemoryError as error:
        raise too_little_memory(path) from error
    _check(array, key, {"speaker": speakers, "label": classes}.get(what, 0))
    return array


def _check(array: NDArray[Any], key: str, names: int) -> None:
    """Check the range of an array; ``names`` is how many classes or speakers there are, 0 if that is not known."""
    if array.dtype.kind == "U":
        good = npz.is_text(array)
    elif array.dtype.kind == "f":
        good = are_log_probabilities(array)
    else:
        good = array.size == 0 or bool(array.min() >= 0 and (names == 0 or array.max() < names))
    if not good:
        raise ValueError(f"{key} has values that are impossible")


def are_log_probabilities(array: NDArray[Any]) -> bool:
    """Whether numbers (N, classes) are log-probabilities: those of a row are those of exclusive classes."""
    with np.errstate(over="ignore"):  # exp of a large number is infinite, and no probability
        sums = np.exp(array.astype(np.float64)).sum(-1)
    return array.size == 0 or bool(array.max() <= TOLERANCE and np.abs(sums - 1).max() <= TOLERANCE)
