"""Of the numbers in a file that are not finite, one is enough to refuse it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from replicate.corpus import archive
from replicate.corpus.finite import keep_first
from replicate.errors import NonFinite
from replicate.limits import MIB
from tests.memory import allocated


def test_the_first_is_kept() -> None:
    array = np.array([[1, 2], [3, -np.inf], [np.nan, np.inf]], np.float32)
    for made in (array.copy(), np.asfortranarray(array)):
        assert np.array_equal(keep_first(made), [[1, 2], [3, -np.inf], [0, 0]])
    assert np.array_equal(keep_first(array[:1].copy()), array[:1])


def test_a_file_of_infinities_takes_no_more_memory_than_one_of_zeros(tmp_path: Path) -> None:
    names = {"format": archive.FORMAT, "name": "x", "labels": ["a"], "speakers": ["b"], "dialogue": ["d"]}
    zeros = np.zeros(1000, int)
    arrays = {**names, "split": ["test"], "length": [1000], "speaker": zeros, "label": zeros, "standardise": True}
    np.savez(tmp_path / "c.npz", **arrays, **{"stream/audio": np.full((1000, 5000), np.inf, np.float32)})

    def read() -> None:
        with pytest.raises(NonFinite, match="dialogue d, stream audio, utterance 1, column 1: inf is not"):
            archive.read(tmp_path / "c.npz")

    assert allocated(read) < 40 * MIB
