"""Corpora of so many speakers that their relations do not fit are refused before training, with the size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.corpus.synthetic import generate
from replicate.corpus.types import Corpus
from replicate.errors import TooLarge
from replicate.experiment import relation_memory
from replicate.experiment.prepare import Options, prepare
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig


def speakers(count: int) -> Corpus:
    return replace(generate("synthetic-tiny"), speakers=tuple(f"s{i}" for i in range(count)))


def test_the_size_is_that_of_the_models_weights() -> None:
    weights = sum(
        tensor.numel()
        for name, tensor in COGMEN(ModelConfig(width=3, speakers=5)).named_parameters()
        if tensor.dim() == 3 and len(tensor) == 2 * 5**2
    )
    assert relation_memory.of(5) == 4 * 4 * weights


def test_three_hundred_speakers_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(TooLarge) as caught:
        prepare(["table2"], Options("smoke", data=speakers(300)))
    assert "300 speakers" in str(caught.value)
    assert "180,000 relations take 26.8 GiB in training each run, where 8 GiB is the most" in str(caught.value)
    assert "at most 163 names" in str(caught.value)


def test_many_speakers_are_noted_and_few_are_not() -> None:
    relation_memory.check(speakers(163))
    assert "take 7.9 GiB in training" in relation_memory.remarks(speakers(163))[0]
    assert relation_memory.remarks(speakers(300))[0].endswith(", where training allows 8 GiB")
    assert relation_memory.remarks(speakers(24)) == []  # RAVDESS
