"""Predict from recordings: extract the features that the bundle's model was trained on, then predict each utterance.

Needs the optional extra ``[audio]``.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path

import numpy as np

from export.audio.timeline import Recording, Segment, Timeline
from export.inputs import unknown_labels
from export.predictor import BadInput, DialogueFeatures, Predictor
from replicate.corpus.provenance import ENCODER_EXTRACTORS, Recipe, changed_versions, describe
from replicate.errors import BadModel, EmptyDialogue, IncompatibleFeatures
from replicate.features import resume
from replicate.features.assemble import Vectors
from replicate.features.extract import Extractor, extract, from_recipe
from replicate.features.source import Source, Utterance, measure, refuse
from replicate.features.tables import nfc

Seconds = Mapping[Utterance, float]
Progress = Callable[[float], AbstractContextManager[Callable[[float], None]]]


def predict_audio(
    predictor: Predictor,
    source: Source,
    speakers: Mapping[str, str] | None = None,
    drop: bool = False,
    model: str | None = None,
    device: str = "auto",
    keep: Path | None = None,
    progress: Progress = lambda total: nullcontext(lambda seconds: None),
) -> Timeline:
    """Predict the utterances of recordings, which ``replicate.features.read.read`` finds.

    Args:
        speakers: maps a speaker's name in the recordings to one that the model knows; equal names need no entry.
        drop: leave out utterances whose features cannot be extracted, instead of refusing the recordings.
        model: folder or name of the speech encoder, if it is no longer where it was in training.
        keep: extracted features are saved next to this file until ``forget`` is called, so that an interrupted call
            can continue; None does not save them.
        progress: called with the total seconds of speech; returns a context whose value is called with the seconds
            that are done.

    Raises:
        IncompatibleFeatures: the model's features cannot be extracted from recordings. BadInput: the model does not
            know a speaker, or there are too many utterances. EmptyDialogue: no utterance is left. ReplicateError: see
            ``extract``.
    """
    recipe = recipe_of(predictor)
    if model and recipe.get("extractor") not in ENCODER_EXTRACTORS:
        raise BadInput(f"the model's input is {describe(recipe)}, not of a speech encoder: remove --model")
    source, seconds = measure(source)
    if not drop:
        refuse(source.problems)
    names = _names(source, speakers or {}, predictor.speakers)
    extractor = from_recipe(recipe, device, model)
    columns = _columns(recipe, extractor)
    with tempfile.TemporaryDirectory() as folder, progress(sum(seconds)) as advance:
        place = keep or Path(folder) / "features"
        extracted = extract(source, seconds, extractor, place, advance)
    if not drop:
        refuse(extracted.problems, "; the features extracted so far are kept" if keep else "")
    vectors = {utterance: vector[columns] for utterance, vector in extracted.vectors.items()}
    problems = (*source.problems, *extracted.problems)
    if not vectors:
        first = f"; the first was left out because: {problems[0]}" if problems else ""
        raise EmptyDialogue(f"{source.name} has no utterance to predict{first}")
    segments = _segments(predictor, source, dict(zip(source.utterances, seconds, strict=True)), vectors, names)
    notes = (*extracted.warnings, *_notes(source, recipe, predictor.labels))
    return Timeline(tuple(predictor.labels), tuple(segments), tuple(map(str, problems)), notes, _recordings(source))


def forget(keep: Path) -> None:
    """Delete the features that ``predict_audio`` saved next to ``keep``; call it once the timeline is written."""
    resume.vectors_path(keep).unlink(missing_ok=True)


def recipe_of(predictor: Predictor) -> Recipe:
    """Return how the features that the model was trained on were extracted.

    Raises:
        IncompatibleFeatures: the training corpus came with features and without their recipe.
    """
    found = predictor.metadata.get("recipe")
    if not isinstance(found, dict):
        raise IncompatibleFeatures(
            f"the model was trained on features that came with the corpus {predictor.metadata['corpus']['name']}, and "
            "how to extract them is not known: export a model that was trained on a file of `replicate features`"
        )
    return found


def _names(source: Source, given: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """Map every speaker of the source to a name that the model knows; names are compared in one form of Unicode."""
    given = {nfc(name): nfc(known) for name, known in given.items()}
    known = [nfc(name) for name in known]
    found = dict.fromkeys(utterance.speaker for utterance in source.utterances)
    absent = [name for name in given if name not in found]
    if absent:
        raise BadInput(f"--speaker {absent[0]!r}: {source.name} has no such speaker, only {', '.join(found)}")
    wrong = [name for name in given.values() if name not in known]
    if wrong:
        raise BadInput(f"--speaker ...={wrong[0]!r}: the model only knows the speakers {', '.join(known)}")
    unknown = [name for name in found if given.get(name, name) not in known]
    if unknown:
        example = " ".join(
            f"--speaker {shlex.quote(f'{name}={known[i % len(known)]}')}" for i, name in enumerate(unknown[:3])
        )
        raise BadInput(
            f"the model knows the speakers {', '.join(known)}, not {', '.join(unknown[:3])}: assign them, for example "
            f"with {example}"
        )
    return {name: given.get(name, name) for name in found}


def _recordings(source: Source) -> dict[str, Recording]:
    """Return the files of the dialogues whose utterances are all segments of one."""
    from replicate.features import audio

    found = {}
    for name, group in groupby(source.utterances, key=lambda utterance: utterance.dialogue):
        own = list(group)
        if len({one.path for one in own}) == 1 and all(one.stop is not None and one.at == one.start for one in own):
            found[name] = Recording(own[0].path.name, audio.header(own[0].path).seconds)
    return found


def _columns(recipe: Recipe, extractor: Extractor) -> list[int] | slice:
    """Return the positions of the model's columns among the extractor's; all of them if the recipe selects none."""
    if "columns" not in recipe:
        return slice(None)
    positions = {name: i for i, name in enumerate(extractor.recipe["columns"])}
    missing = [name for name in recipe["columns"] if name not in positions]
    if missing:
        raise BadModel(
            f"this version of {describe(recipe)} has no column {missing[0]}, which the model needs: install the "
            "version that the model was trained with"
        )
    return [positions[name] for name in recipe["columns"]]


def _segments(
    predictor: Predictor, source: Source, seconds: Seconds, vectors: Vectors, names: Mapping[str, str]
) -> Iterator[Segment]:
    kept = [utterance for utterance in source.utterances if utterance in vectors]
    dialogues = [list(group) for _, group in groupby(kept, key=lambda utterance: utterance.dialogue)]
    inputs = [
        DialogueFeatures(own[0].dialogue, [names[one.speaker] for one in own], np.stack([vectors[one] for one in own]))
        for own in dialogues
    ]
    for own, prediction in zip(dialogues, predictor.predict(inputs), strict=True):
        end = 0.0
        for number, (one, row) in enumerate(zip(own, prediction.probabilities, strict=True), 1):
            start = end if one.at is None else one.at
            end = start + seconds[one]
            yield Segment(one.dialogue, number, one.speaker, start, end, tuple(row.tolist()))


def _notes(source: Source, recipe: Recipe, known: Sequence[str]) -> Iterator[str]:
    yield from source.warnings
    labels = unknown_labels(source.name, {one.label for one in source.utterances}, known)
    if labels:
        yield labels
    others = changed_versions(recipe)
    if others:
        yield (
            f"other versions extracted the features that the model was trained on ({'; '.join(others)}): features may "
            "differ slightly"
        )
    if any(utterance.at is None for utterance in source.utterances):
        yield "no start times were given: utterances are placed one after the other, without pauses"
