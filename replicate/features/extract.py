"""Extract features of the utterances of a source; extraction can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.provenance import ENCODER_EXTRACTORS, TEXT, Recipe, describe
from replicate.errors import BadAudio, ReplicateError, TooLittleMemory
from replicate.features import audio, resume
from replicate.features.assemble import Vectors
from replicate.features.source import Source, Utterance

# Mixing, resampling and lossy codecs exceed full scale a little.
_LOUDEST = 1.5


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
    """The vectors of utterances, the errors of the utterances without one, and warnings about those that have one."""

    vectors: Vectors
    problems: tuple[ReplicateError, ...]
    warnings: tuple[str, ...] = ()


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
    cancelled: list[Utterance] = []
    peaks: dict[Utterance, float] = {}
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
                    decoded = _signal(utterance, extractor)
                except (BadAudio, TooLittleMemory) as error:
                    problems.append(error)
                    continue
                signals[utterance] = decoded.samples
                cancelled += [utterance] if decoded.cancelled else []
                if decoded.peak > _LOUDEST:
                    peaks[utterance] = decoded.peak
            found = _vectors(signals, extractor)
            for utterance in [one for one, vector in found.items() if not np.isfinite(vector).all()]:
                problems.append(_not_finite(utterance, found.pop(utterance), extractor))
            # Utterances with a warning are extracted again on resuming, so that the warning is repeated.
            warned = {*cancelled, *peaks}
            lasting = {utterance: vector for utterance, vector in found.items() if utterance not in warned}
            saved.put({resume.key(utterance, extractor.recipe): vector for utterance, vector in lasting.items()})
            vectors |= found
            advance(sum(length for length, _ in batch))
    return Extracted(vectors, tuple(problems), (*_cancelled(cancelled), *_too_loud(peaks)))


def _vectors(signals: Mapping[Utterance, NDArray[np.float32]], extractor: Extractor) -> Vectors:
    """Return the vectors of a batch.

    Raises:
        TooLittleMemory: the batch does not fit.
    """
    try:
        return dict(zip(signals, extractor(list(signals.values())), strict=True)) if signals else {}
    except MemoryError as error:
        longest = max(signals, key=lambda one: len(signals[one]))
        raise TooLittleMemory(
            f"too little memory for {extractor.recipe['extractor']} on utterance {longest.name} of "
            f"{len(signals[longest]) / audio.RATE:.0f} s: cut it, or use a machine with more memory"
        ) from error


def _cancelled(utterances: Sequence[Utterance]) -> Iterator[str]:
    """Yield a warning that names utterances whose channels cancel each other."""
    if utterances:
        names = ", ".join(one.name for one in utterances[:3]) + (", ..." if len(utterances) > 3 else "")
        yield (
            f"in {len(utterances)} utterance{'s' * (len(utterances) > 1)} ({names}) the channels cancel each other: "
            "their mix is much weaker than they are, as if one was inverted; keep one channel alone and extract again"
        )


def _too_loud(peaks: Mapping[Utterance, float]) -> Iterator[str]:
    """Yield a warning that names utterances with samples beyond full scale."""
    if peaks:
        names = ", ".join(one.name for one in list(peaks)[:3]) + (", ..." if len(peaks) > 3 else "")
        yield (
            f"in {len(peaks)} utterance{'s' * (len(peaks) > 1)} ({names}) samples are beyond full scale, "
            f"up to {max(peaks.values()):,.4g} where 1 is the largest: features of loudness are wrong unless the "
            "recordings of the training are like that; scale the file"
        )


def from_recipe(recipe: Recipe, device: str = "auto", model: str | None = None) -> Extractor:
    """Return the extractor that a recipe describes; it may have more columns than ``recipe["columns"]``.

    Args:
        model: folder or name of the speech encoder, if it is not where the recipe has it.

    Raises:
        BadModel: the model is missing, or is another one. NotThisFormat: the recipe is incomplete or unknown.
    """
    from replicate.errors import BadModel, NotThisFormat

    extractor: Extractor
    try:
        if recipe["extractor"] == "opensmile":
            from replicate.features.smile import Smile

            return Smile(recipe["set"])
        if recipe["extractor"] == "acoustic":
            from replicate.features import acoustic

            if recipe["version"] != acoustic.VERSION:
                raise NotThisFormat(
                    f"the features are version {recipe['version']} of the acoustic functionals, and this package "
                    f"computes version {acoustic.VERSION}: extract and train again, or install the older package"
                )
            return acoustic.AcousticExtractor()
        if recipe["extractor"] in TEXT:
            raise NotThisFormat(
                f"the stream was made from transcripts ({describe(recipe)}), which recordings do not have: use a "
                "bundle whose input is audio alone"
            )
        if recipe["extractor"] not in ENCODER_EXTRACTORS:
            raise KeyError(recipe["extractor"])
        from replicate.features.encoder import Choice, Encoder

        choice = Choice(model or recipe["model"], recipe["layer"], tuple(recipe["weights"]), recipe["chunk_seconds"])
        try:
            extractor = Encoder(choice, device)
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


def _signal(utterance: Utterance, extractor: Extractor) -> audio.Decoded:
    try:
        decoded = audio.decode(utterance.path, utterance.start, utterance.stop, utterance.channel)
    except (BadAudio, TooLittleMemory) as error:
        raise type(error)(f"utterance {utterance.name}: {error}") from error
    if len(decoded.samples) < extractor.shortest:
        raise BadAudio(
            f"utterance {utterance.name} lasts {1000 * len(decoded.samples) / audio.RATE:.0f} ms, less than the "
            f"{1000 * extractor.shortest / audio.RATE:.0f} ms that {extractor.recipe['extractor']} needs: join it to "
            "another, or remove it from the list"
        )
    return decoded


def _batches(items: Sequence[tuple[float, Utterance]], seconds: float) -> Iterator[list[tuple[float, Utterance]]]:
    batch: list[tuple[float, Utterance]] = []
    for item in items:
        if batch and sum(length for length, _ in batch) + item[0] > seconds:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
