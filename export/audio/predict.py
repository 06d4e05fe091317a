"""Predict from recordings: extract the features that the bundle's model was trained on, then predict each utterance.

Needs the optional extra ``[audio]``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path

import numpy as np

from export.audio.speakers import SpeakerNames, speaker_names
from export.audio.timeline import Recording, Segment, Timeline
from export.distance import Distance, warning
from export.inputs import unknown_labels
from export.normalise import unchanged
from export.predictor import MAX_UTTERANCES, BadInput, DialogueFeatures, Prediction, Predictor
from replicate.corpus.provenance import ENCODER_EXTRACTORS, Recipe, changed_versions, describe
from replicate.errors import BadModel, EmptyDialogue, IncompatibleFeatures
from replicate.features import resume
from replicate.features.assemble import Vectors
from replicate.features.extract import Extractor, extract, from_recipe
from replicate.features.source import Source, Utterance, measure, refuse

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
    normalise: str | None = None,
) -> Timeline:
    """Predict the utterances of recordings, which ``replicate.features.calls.read`` or ``read.read`` finds.

    Args:
        speakers: maps a speaker's name in the recordings to one that the model knows; equal names need no entry, and
            others are assigned in each dialogue in order of appearance, with a note.
        drop: leave out utterances whose features cannot be extracted, instead of refusing the recordings.
        model: folder or name of the speech encoder, if it is no longer where it was in training.
        keep: extracted features are saved next to this file until ``forget`` is called, so that an interrupted call
            can continue; None does not save them.
        progress: called with the total seconds of speech; returns a context whose value is called with the seconds
            that are done.
        normalise: see ``Predictor.predict``.

    Raises:
        IncompatibleFeatures: the model's features cannot be extracted from recordings. BadInput: ``speakers`` has a
            name that the recordings or the model do not have. EmptyDialogue: no utterance is left. ReplicateError: see
            ``extract``.
    """
    recipe = recipe_of(predictor)
    if model and recipe.get("extractor") not in ENCODER_EXTRACTORS:
        raise BadInput(f"the model's input is {describe(recipe)}, not of a speech encoder: remove --model")
    source, seconds = measure(source)
    if not drop:
        refuse(source.problems)
    names, assigned = speaker_names(source, speakers or {}, predictor.speakers)
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
    dialogues = _dialogues(source, vectors, names)
    predictions = predictor.predict(dialogues, normalise)
    segments = _segments(source, dict(zip(source.utterances, seconds, strict=True)), vectors, predictions)
    distances = _distances(predictor, dialogues)
    far = warning(list(distances.items()), predictor.metadata)
    same = unchanged([piece.voices for piece in dialogues], normalise)
    notes = (*filter(None, (far, same)), *assigned, *extracted.warnings, *_notes(source, recipe, predictor.labels))
    left_out = tuple(map(str, problems))
    return Timeline(tuple(predictor.labels), tuple(segments), left_out, notes, _recordings(source), distances)


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


def _dialogues(source: Source, vectors: Vectors, names: SpeakerNames) -> list[DialogueFeatures]:
    kept = [utterance for utterance in source.utterances if utterance in vectors]
    dialogues = [list(group) for _, group in groupby(kept, key=lambda utterance: utterance.dialogue)]
    # A dialogue may be longer than the model's graph: see the note in ``_notes``.
    pieces = [own[i : i + MAX_UTTERANCES] for own in dialogues for i in range(0, len(own), MAX_UTTERANCES)]
    return [
        DialogueFeatures(
            own[0].dialogue,
            [names[one.dialogue, one.speaker] for one in own],
            np.stack([vectors[one] for one in own]),
            [one.speaker for one in own],
        )
        for own in pieces
    ]


def _distances(predictor: Predictor, pieces: Sequence[DialogueFeatures]) -> dict[str, Distance]:
    """Measure how far each dialogue lies from the training, over all its pieces."""
    found = {}
    for name, own in groupby(pieces, key=lambda piece: piece.id):
        distance = predictor.distance(np.concatenate([piece.features for piece in own]))
        if distance:
            found[name] = distance
    return found


def _segments(
    source: Source, seconds: Seconds, vectors: Vectors, predictions: Sequence[Prediction]
) -> Iterator[Segment]:
    kept = [utterance for utterance in source.utterances if utterance in vectors]
    rows = [row for prediction in predictions for row in prediction.probabilities]
    last, number, end = "", 0, 0.0
    for one, row in zip(kept, rows, strict=True):
        if one.dialogue != last:
            last, number, end = one.dialogue, 0, 0.0
        number += 1
        start = end if one.at is None else one.at
        end = start + seconds[one]
        yield Segment(one.dialogue, number, one.speaker, start, end, tuple(row.tolist()), one.overlap, one.channel)


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
    for name, count in Counter(one.dialogue for one in source.utterances).items():
        if count > MAX_UTTERANCES:
            yield (
                f"{name} has {count:,} utterances and is predicted in pieces of {MAX_UTTERANCES:,}: at their ends, "
                "utterances lack some of their context"
            )
    if any(utterance.at is None for utterance in source.utterances):
        yield "no start times were given: utterances are placed one after the other, without pauses"
