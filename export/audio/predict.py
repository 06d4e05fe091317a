"""From recordings to a timeline: features as in the bundle's training, and what its model makes of them.

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

from export.audio.timeline import Timeline, Turn
from export.predictor import BadInput, DialogueFeatures, Predictor
from replicate.corpus.provenance import Recipe, changed_versions, describe
from replicate.errors import BadModel, EmptyDialogue, OtherFeatures
from replicate.features import resume
from replicate.features.extract import Extractor, Vectors, extract, from_recipe
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
    progress: Progress = lambda total: nullcontext(lambda part: None),
) -> Timeline:
    """What the model hears in recordings, as ``replicate.features.read.read`` finds them.

    Args:
        speakers: name in the recordings -> name that the model knows; those that are the same need no entry.
        drop: leave out utterances that cannot be heard, in place of refusing.
        model: where the HuBERT model lies by now.
        keep: what is extracted is safe beside this file until ``forget``; otherwise an interrupt loses it.
        progress: given how many seconds there are, a context of a function that is told how many are done.

    Raises:
        OtherFeatures: the model was trained on features that nobody can extract again. BadInput: speakers that it
            does not know, or too many utterances. EmptyDialogue: nothing is left. ReplicateError: see ``extract``.
    """
    recipe = recipe_of(predictor)
    if model and recipe.get("extractor") != "hubert":
        raise BadInput(f"the model hears {describe(recipe)}, not HuBERT: leave --model out")
    source, seconds = measure(source)
    if not drop:
        refuse(source.problems)
    names = _names(source, speakers or {}, predictor.speakers)
    extractor = from_recipe(recipe, device, model)
    columns = _columns(recipe, extractor)
    with tempfile.TemporaryDirectory() as folder, progress(sum(seconds)) as advance:
        place = keep or Path(folder) / "features"
        audio_stream = extract(source, seconds, extractor, place, advance)
    if not drop:
        refuse(audio_stream.problems, "; what was extracted is kept" if keep else "")
    vectors = {utterance: vector[columns] for utterance, vector in audio_stream.vectors.items()}
    problems = (*source.problems, *audio_stream.problems)
    if not vectors:
        first = f", such as: {problems[0]}" if problems else ""
        raise EmptyDialogue(f"no utterance of {source.name} is left to be heard{first}")
    turns = _turns(predictor, source, dict(zip(source.utterances, seconds, strict=True)), vectors, names)
    return Timeline(tuple(predictor.labels), tuple(turns), tuple(map(str, problems)), tuple(_notes(source, recipe)))


def forget(keep: Path) -> None:
    """Remove what ``predict_audio`` kept; once its timeline is written, nobody needs it."""
    resume.vectors_path(keep).unlink(missing_ok=True)


def recipe_of(predictor: Predictor) -> Recipe:
    """How the features of the bundle's training were extracted.

    Raises:
        OtherFeatures: nobody knows.
    """
    found = predictor.about.get("recipe")
    if not isinstance(found, dict):
        raise OtherFeatures(
            f"the model was trained on features that came with the corpus {predictor.about['corpus']['name']}, and "
            "nobody can extract them from recordings: export one that was trained on a file of `replicate features`"
        )
    return found


def _names(source: Source, given: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    """The name that the model knows of every speaker."""
    theirs = dict.fromkeys(utterance.speaker for utterance in source.utterances)
    nobody = [name for name in given if name not in theirs]
    if nobody:
        raise BadInput(f"nobody is called {nobody[0]!r} in {source.name}, only {', '.join(theirs)}")
    wrong = [name for name in given.values() if name not in known]
    if wrong:
        raise BadInput(f"the model knows the speakers {', '.join(known)}, and nobody called {wrong[0]!r}")
    strange = [name for name in theirs if given.get(name, name) not in known]
    if strange:
        example = " ".join(
            f"--speaker {shlex.quote(f'{name}={known[i % len(known)]}')}" for i, name in enumerate(strange[:3])
        )
        raise BadInput(
            f"the model knows the speakers {', '.join(known)}, not {', '.join(strange[:3])}: say who is who, such as "
            f"{example}"
        )
    return {name: given.get(name, name) for name in theirs}


def _columns(recipe: Recipe, extractor: Extractor) -> list[int] | slice:
    """Which of the extractor's columns the model takes; all where the recipe names none."""
    if "columns" not in recipe:
        return slice(None)
    there = {name: i for i, name in enumerate(extractor.recipe["columns"])}
    lacking = [name for name in recipe["columns"] if name not in there]
    if lacking:
        raise BadModel(
            f"this openSMILE has no column {lacking[0]}, which the model takes: install the version of its training"
        )
    return [there[name] for name in recipe["columns"]]


def _turns(
    predictor: Predictor, source: Source, seconds: Seconds, vectors: Vectors, names: Mapping[str, str]
) -> Iterator[Turn]:
    kept = [utterance for utterance in source.utterances if utterance in vectors]
    dialogues = [list(group) for _, group in groupby(kept, key=lambda utterance: utterance.dialogue)]
    spoken = [
        DialogueFeatures(own[0].dialogue, [names[one.speaker] for one in own], np.stack([vectors[one] for one in own]))
        for own in dialogues
    ]
    for own, prediction in zip(dialogues, predictor.predict(spoken), strict=True):
        end = 0.0
        for one, probability in zip(own, prediction.probability, strict=True):
            start = end if one.at is None else one.at
            end = start + seconds[one]
            yield Turn(one.dialogue, one.name, one.speaker, start, end, tuple(probability.tolist()))


def _notes(source: Source, recipe: Recipe) -> Iterator[str]:
    yield from source.warnings
    others = changed_versions(recipe)
    if others:
        yield f"the features of its training were made with other versions ({'; '.join(others)}): they may differ a bit"
    if any(utterance.at is None for utterance in source.utterances):
        yield "no times were given: utterances stand one after the other, without pauses"
