"""From a source of utterances to a corpus: extraction that can be interrupted, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.provenance import Recipe
from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import BadAudio, EmptyDialogue, ReplicateError
from replicate.features import audio, resume
from replicate.features.source import Source, Utterance

Vectors = dict[Utterance, NDArray[np.float32]]


class Extractor(Protocol):
    """What turns signals into vectors.

    Attributes:
        stream: name of the feature stream.
        shortest: samples at 16 kHz that an utterance needs.
        batch_seconds: how much is worth computing together.
        recipe: what decides the numbers, as JSON can hold it.
    """

    stream: str
    shortest: int
    batch_seconds: float
    recipe: dict[str, Any]

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(signals, width) from signals at 16 kHz."""


@dataclass(frozen=True)
class Extracted:
    """The vectors of all utterances that have one, and what is wrong with the others."""

    vectors: Vectors
    problems: tuple[ReplicateError, ...]


def extract(
    source: Source,
    seconds: Sequence[float],
    extractor: Extractor,
    out: Path,
    advance: Callable[[float], None] = lambda seconds: None,
) -> Extracted:
    """Every utterance's vector: those that an interrupted extraction of ``out`` left are taken from there.

    Args:
        seconds: of each utterance. ``advance`` is told how many of them are done, again and again.
    """
    vectors: Vectors = {}
    problems: list[ReplicateError] = []
    with resume.open_vectors(out) as store:
        left: list[tuple[float, Utterance]] = []
        for utterance, length in zip(source.utterances, seconds, strict=True):
            vector = store.get(resume.key(utterance, extractor.recipe))
            if vector is None:
                left.append((length, utterance))
            else:
                vectors[utterance] = vector
                advance(length)
        # Those of like length need little padding; the longest first, so that too little memory shows at once.
        left.sort(key=lambda item: item[0], reverse=True)
        for batch in _batches(left, extractor.batch_seconds):
            signals: dict[Utterance, NDArray[np.float32]] = {}
            for _, utterance in batch:
                try:
                    signals[utterance] = _signal(utterance, extractor)
                except BadAudio as error:
                    problems.append(error)
            found = dict(zip(signals, extractor(list(signals.values())), strict=True)) if signals else {}
            for utterance in [one for one, vector in found.items() if not np.isfinite(vector).all()]:
                problems.append(BadAudio(f"utterance {utterance.name}: its features are no numbers; listen to it"))
                del found[utterance]
            store.put({resume.key(utterance, extractor.recipe): vector for utterance, vector in found.items()})
            vectors |= found
            advance(sum(length for length, _ in batch))
    return Extracted(vectors, tuple(problems))


def to_corpus(source: Source, vectors: Vectors, extractor: Extractor) -> Corpus:
    """The corpus of the utterances that have a vector, which remembers how they were made.

    Raises:
        EmptyDialogue: no utterance has a vector. ReplicateError: see ``Corpus``.
    """
    kept = [utterance for utterance in source.utterances if utterance in vectors]
    if not kept:
        raise EmptyDialogue(f"no utterance of {source.name} is left to extract features from: see what was left out")
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
                {extractor.stream: np.stack([vectors[utterance] for utterance in own])},
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
        recipes={extractor.stream: dict(extractor.recipe)},
    )


def from_recipe(recipe: Recipe, device: str = "auto", model: str | None = None) -> Extractor:
    """The extractor that a corpus's features were made with; of its columns the corpus has ``recipe["columns"]``.

    Args:
        model: where a HuBERT model lies by now; by default where it lay then.

    Raises:
        BadModel: its model is not there, or is another one. NotThisFormat: no recipe of ours.
    """
    from replicate.errors import BadModel, NotThisFormat

    extractor: Extractor
    try:
        if recipe["extractor"] == "opensmile":
            from replicate.features.smile import Smile

            return Smile(recipe["set"])
        if recipe["extractor"] != "hubert":
            raise KeyError(recipe["extractor"])
        from replicate.features.hubert import Choice, Hubert

        choice = Choice(model or recipe["model"], recipe["layer"], tuple(recipe["weights"]), recipe["chunk_seconds"])
        try:
            extractor = Hubert(choice, device)
        except BadModel as error:
            if model is not None:
                raise
            raise BadModel(f"{error}; if it moved, say with --model where it lies by now") from error
        if extractor.recipe["parameters"] != recipe["parameters"]:
            raise BadModel(
                f"{choice.model} is not the model that the features were made with, {recipe['model']}: say with "
                "--model where that one lies"
            )
    except (KeyError, TypeError) as error:
        raise NotThisFormat(
            f"the corpus does not say how its features were made ({error}): extract them again"
        ) from error
    return extractor


def _signal(utterance: Utterance, extractor: Extractor) -> NDArray[np.float32]:
    try:
        signal = audio.load(utterance.path, utterance.start, utterance.stop)
    except BadAudio as error:
        raise BadAudio(f"utterance {utterance.name}: {error}") from error
    if len(signal) < extractor.shortest:
        raise BadAudio(
            f"utterance {utterance.name} lasts {1000 * len(signal) / audio.RATE:.0f} ms, less than the "
            f"{1000 * extractor.shortest / audio.RATE:.0f} ms that {extractor.recipe['extractor']} needs: join it to "
            "another, or take it off the list"
        )
    return signal


def _batches(items: Sequence[tuple[float, Utterance]], seconds: float) -> Iterator[list[tuple[float, Utterance]]]:
    batch: list[tuple[float, Utterance]] = []
    for item in items:
        if batch and sum(length for length, _ in batch) + item[0] > seconds:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
