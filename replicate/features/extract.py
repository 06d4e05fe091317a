"""Extract features of the utterances of a source; extraction can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.provenance import TEXT, Recipe, describe
from replicate.errors import BadAudio, ReplicateError
from replicate.features import audio, resume
from replicate.features.assemble import Vectors
from replicate.features.source import Source, Utterance


class Extractor(Protocol):
    """A function from signals to feature vectors.

    Attributes:
        stream: name of the feature stream.
        shortest: samples at 16 kHz that an utterance needs at least.
        batch_seconds: total duration of the signals of one call.
        recipe: everything that decides the numbers, JSON values only.
    """

    stream: str
    shortest: int
    batch_seconds: float
    recipe: dict[str, Any]

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return (signals, width) float32 from signals at 16 kHz."""


@dataclass(frozen=True)
class Extracted:
    """The vectors of utterances, and the errors of the utterances without one."""

    vectors: Vectors
    problems: tuple[ReplicateError, ...]


def extract(
    source: Source,
    seconds: Sequence[float],
    extractor: Extractor,
    out: Path,
    advance: Callable[[float], None] = lambda seconds: None,
) -> Extracted:
    """Extract the vector of every utterance, except for those that an interrupted extraction to ``out`` saved.

    Args:
        seconds: duration of each utterance.
        advance: called after each batch with its duration in seconds.
    """
    vectors: Vectors = {}
    problems: list[ReplicateError] = []
    with resume.open_vectors(out) as saved:
        missing: list[tuple[float, Utterance]] = []
        for utterance, length in zip(source.utterances, seconds, strict=True):
            vector = saved.get(resume.key(utterance, extractor.recipe))
            if vector is None:
                missing.append((length, utterance))
            else:
                vectors[utterance] = vector
                advance(length)
        # Similar lengths need little padding; the longest come first, so that too little memory shows at once.
        missing.sort(key=lambda item: item[0], reverse=True)
        for batch in _batches(missing, extractor.batch_seconds):
            signals: dict[Utterance, NDArray[np.float32]] = {}
            for _, utterance in batch:
                try:
                    signals[utterance] = _signal(utterance, extractor)
                except BadAudio as error:
                    problems.append(error)
            found = dict(zip(signals, extractor(list(signals.values())), strict=True)) if signals else {}
            for utterance in [one for one, vector in found.items() if not np.isfinite(vector).all()]:
                problems.append(_not_finite(utterance, found.pop(utterance), extractor))
            saved.put({resume.key(utterance, extractor.recipe): vector for utterance, vector in found.items()})
            vectors |= found
            advance(sum(length for length, _ in batch))
    return Extracted(vectors, tuple(problems))


def from_recipe(recipe: Recipe, device: str = "auto", model: str | None = None) -> Extractor:
    """Return the extractor that a recipe describes; it may have more columns than ``recipe["columns"]``.

    Args:
        model: folder or name of the HuBERT model, if it is not where the recipe has it.

    Raises:
        BadModel: the model is missing, or is another one. NotThisFormat: the recipe is incomplete or unknown.
    """
    from replicate.errors import BadModel, NotThisFormat

    extractor: Extractor
    try:
        if recipe["extractor"] == "opensmile":
            from replicate.features.smile import Smile

            return Smile(recipe["set"])
        if recipe["extractor"] in TEXT:
            raise NotThisFormat(
                f"the stream was made from transcripts ({describe(recipe)}), which recordings do not have: use a "
                "bundle whose input is audio alone"
            )
        if recipe["extractor"] != "hubert":
            raise KeyError(recipe["extractor"])
        from replicate.features.hubert import Choice, Hubert

        choice = Choice(model or recipe["model"], recipe["layer"], tuple(recipe["weights"]), recipe["chunk_seconds"])
        try:
            extractor = Hubert(choice, device)
        except BadModel as error:
            if model is not None:
                raise
            raise BadModel(f"{error}; if it was moved, give its folder with --model") from error
        if extractor.recipe["parameters"] != recipe["parameters"]:
            raise BadModel(
                f"{choice.model} is not the model that the features were made with, {recipe['model']}: give the folder "
                "of that one with --model"
            )
    except (KeyError, TypeError) as error:
        raise NotThisFormat(
            f"the corpus has no complete recipe of its features ({error}): extract them again"
        ) from error
    return extractor


def _not_finite(utterance: Utterance, vector: NDArray[np.float32], extractor: Extractor) -> BadAudio:
    column = int(np.flatnonzero(~np.isfinite(vector))[0])
    names = extractor.recipe.get("columns", ())
    named = f" ({names[column]})" if len(names) == len(vector) else ""
    return BadAudio(
        f"utterance {utterance.name}: its features are NaN or infinite, first in stream {extractor.stream}, column "
        f"{column + 1}{named}: check the recording"
    )


def _signal(utterance: Utterance, extractor: Extractor) -> NDArray[np.float32]:
    try:
        signal = audio.load(utterance.path, utterance.start, utterance.stop)
    except BadAudio as error:
        raise BadAudio(f"utterance {utterance.name}: {error}") from error
    if len(signal) < extractor.shortest:
        raise BadAudio(
            f"utterance {utterance.name} lasts {1000 * len(signal) / audio.RATE:.0f} ms, less than the "
            f"{1000 * extractor.shortest / audio.RATE:.0f} ms that {extractor.recipe['extractor']} needs: join it to "
            "another, or remove it from the list"
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
