"""Make a corpus of the utterances of a source and their feature vectors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.texts import check_texts
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import EmptyDialogue
from replicate.features.source import Source, Utterance

Vectors = dict[Utterance, NDArray[np.float32]]


class Made(Protocol):
    """What made the vectors.

    Attributes:
        stream: name of the feature stream.
        recipe: everything that decides the numbers, JSON values only.
    """

    stream: str
    recipe: dict[str, Any]


@dataclass
class _Nothing:
    """What stands for an extractor in a check of names."""

    stream: str
    recipe: dict[str, Any] = field(default_factory=dict)


def check_names(source: Source, stream: str = "audio") -> None:
    """Make sure that a corpus can be made of the utterances, before hours are spent on their features.

    Args:
        stream: name of the stream to come.

    Raises:
        BadName, SplitOverlap: as ``to_corpus`` would. EmptyDialogue: there is no utterance.
    """
    check_texts(to_corpus(source, dict.fromkeys(source.utterances, np.zeros(1, np.float32)), _Nothing(stream)))


def to_corpus(source: Source, vectors: Vectors, made: Made) -> Corpus:
    """Make a corpus of the utterances that have a vector, with the recipe of what made the vectors.

    Raises:
        EmptyDialogue: no utterance has a vector. ReplicateError: see ``Corpus``.
    """
    kept = [utterance for utterance in source.utterances if utterance in vectors]
    if not kept:
        raise EmptyDialogue(f"no utterance of {source.name} is left: check the dropped ones above")
    source = replace(source, utterances=tuple(kept))
    speakers, labels = source.speakers, source.labels
    dialogues = []
    for id_, group in groupby(kept, key=lambda utterance: utterance.dialogue):
        own = list(group)
        dialogues.append(
            Dialogue(
                id_,
                np.array([speakers.index(utterance.speaker) for utterance in own], np.int64),
                np.array([labels.index(utterance.label) if utterance.label else 0 for utterance in own], np.int64),
                {made.stream: np.stack([vectors[utterance] for utterance in own])},
                own[0].split,
                tuple(utterance.name for utterance in own),
            )
        )
    return Corpus(
        source.name,
        labels,
        tuple(dialogues),
        speakers,
        notes=source.notes,
        recipes={made.stream: dict(made.recipe)},
    )
