from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from replicate.corpus.lists import label_numbers, matrix, speaker_numbers, utterance_names
from replicate.errors import NotThisFormat, OutOfRange, WrongWidth


def test_speakers_are_numbered_in_the_given_order() -> None:
    found = speaker_numbers(["F", "M", "F"], ("M", "F"), "file")
    assert (found.tolist(), found.dtype) == ([1, 0, 1], np.int64)
    with pytest.raises(OutOfRange, match="file, utterance 2: speaker 'X' is none of M, F"):
        speaker_numbers(["M", "X"], ("M", "F"), "file")


@pytest.mark.parametrize("values", [[0, 3], np.array([0, 3], np.int8), (np.int64(0), np.uint8(3))])
def test_labels_of_every_integer_type_are_numbers(values: Any) -> None:
    assert label_numbers(values, 4, "file").tolist() == [0, 3]


@pytest.mark.parametrize(
    ("value", "error"), [(4, OutOfRange), (-1, OutOfRange), (True, NotThisFormat), (0.0, NotThisFormat)]
)
def test_other_labels_are_refused(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="file, utterance 2: label"):
        label_numbers([0, value], 4, "file")


@pytest.mark.parametrize("values", [["a", "a"], ["a", ""], ["a", "b\n"], ["a", 1], ["a", "x" * 101]])
def test_invalid_names_give_none_at_all(values: list[Any]) -> None:
    assert utterance_names(["a", "b"]) == ("a", "b")
    assert utterance_names(values) == ()


def test_vectors_are_stacked() -> None:
    found = matrix([[1, 2], np.array([3.5, 4.5])], "file")
    assert (found.tolist(), found.dtype) == ([[1, 2], [3.5, 4.5]], np.float32)
    assert matrix([], "file").shape == (0, 1)
    with pytest.raises(WrongWidth, match="file, utterance 2: 1 columns after 2"):
        matrix([[1, 2], [3]], "file")
    for bad in ("a", [[1, 2]], [[1], [1, 2]]):
        with pytest.raises(NotThisFormat, match="file, utterance 1: not a vector of numbers"):
            matrix([bad], "file")
