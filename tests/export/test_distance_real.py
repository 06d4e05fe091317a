"""On real recordings: actors who were not in the training are not far from it, and conversations are."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.distance import TrainingRange
from export.onnx.training_range import fit_range
from replicate.corpus.types import Corpus, Dialogue
from replicate.features import audio
from replicate.features.read import read


@dataclass(frozen=True)
class Clips:
    """Clips of RAVDESS, by split and actor, and utterances of conversations, by recording; as signals."""

    actors: dict[str, dict[str, list[NDArray[np.float32]]]]
    conversations: dict[str, list[NDArray[np.float32]]]


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> Clips:
    folder = shared_data / "ravdess" / "recordings"
    actors: dict[str, dict[str, list[NDArray[np.float32]]]] = {"train": {}, "dev": {}, "test": {}}
    for row in csv.DictReader((folder / "utterances.csv").open()):
        own = actors[row["split"]].setdefault(row["dialogue"][:7], [])
        own.append(audio.load(folder / f"{row['utterance']}.flac"))
    place = shared_data / "conversations"
    found = {}
    for name, segments in (("sample", "sample"), *((one, "debug.development") for one in ("dev00", "dev01"))):
        source = read(place / f"{name}.wav", segments=place / f"{segments}.rttm")
        whole = audio.load(place / f"{name}.wav")
        ends = [(round(audio.RATE * one.start), round(audio.RATE * one.stop)) for one in source.utterances]
        found[name] = [whole[start:stop] for start, stop in ends if stop - start >= 0.3 * audio.RATE]
    return Clips(actors, found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["acoustic", "eGeMAPS"])
def test_other_actors_are_near_and_conversations_far(clips: Clips, name: str) -> None:
    from replicate.features import acoustic, smile

    extractor: Any = acoustic.AcousticExtractor() if name == "acoustic" else smile.Smile()
    dialogues = [
        Dialogue(actor, np.zeros(len(own), int), np.zeros(len(own), int), {"audio": extractor(own)}, split)
        for split, of_split in clips.actors.items()
        for actor, own in of_split.items()
    ]
    size = fit_range(Corpus("ravdess", ("x",), tuple(dialogues), ("s",)), "audio")
    assert size is not None
    measured = TrainingRange(size)
    near = [measured.distance(one.features["audio"]) for one in dialogues if one.split == "test"]
    far = [measured.distance(extractor(own)) for own in clips.conversations.values()]
    print(near, far)
    assert (len(near), len(far)) == (6, 3)
    assert not any(one.far for one in near) and all(one.far for one in far)


@pytest.mark.slow
def test_dialogues_of_the_same_corpus_are_near(shared_data: Path) -> None:
    from replicate.corpus import load

    corpus = load(shared_data / "iemocap" / "iemocap4.npz")
    size = fit_range(corpus, "audio")
    assert size is not None
    measured = TrainingRange(size)
    assert not any(measured.distance(one.features["audio"]).far for one in corpus.split("test"))
