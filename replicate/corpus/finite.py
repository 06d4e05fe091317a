"""Numbers that are not finite, in features that are read from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def keep_first(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Set all numbers of a stream that are not finite to 0, except for the first, for which ``Corpus`` refuses it.

    ``Corpus`` lists where they are, which takes 16 bytes for each: a small file can hold any number of them.
    """
    bad = ~np.isfinite(array)
    if bad.any():
        first = np.unravel_index(int(bad.argmax()), bad.shape)
        value = array[first]
        array[bad] = 0
        array[first] = value
    return array
