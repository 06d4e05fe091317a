from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.corpus import archive, catalogue, load
from replicate.corpus.readers import ravdess
from replicate.errors import NoMatch, NonFinite, NotThisFormat, ReplicateError, UnknownCorpus, WrongWidth
from tests.corpus.conftest import assert_refused

UNITS = [f"AU{i:02d}_r" for i in range(17)] + [f"AU{i:02d}_c" for i in range(18)]
EIGHT = tuple(ravdess.EMOTIONS.values())
Vectors = dict[str, tuple[Any, Any]]  # key -> audio and visual features


def write(folder: Path, clips: Vectors) -> Path:
    """The two files: visual features in another order than audio, with the columns of the published file around."""
    with (folder / ravdess.AUDIO).open("w", newline="") as file:
        audio = csv.writer(file)
        audio.writerow([*(f"f{i}" for i in range(88)), "filename"])
        audio.writerows([*vector, f"03-01-{key}.wav"] for key, (vector, _) in clips.items())
    with (folder / ravdess.VISUAL).open("w", newline="") as file:
        visual = csv.writer(file, delimiter=";")
        visual.writerow([*UNITS, "speech", "name", "path", "index"])
        visual.writerows(
            [*vector, 0.5, f"01-01-{key}", f"01-01-{key}", 0] for key, (_, vector) in reversed(clips.items())
        )
    return folder


def made(keys: list[str]) -> Vectors:
    """Features that tell the clip: the audio is its number, the action units are its number / 2."""
    return {key: ([float(i)] * 88, [i / 2] * 35) for i, key in enumerate(keys)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Clips of actors 1 (male, train), 16 (female, dev) and 19 (male, test), and of all emotions."""
    actors = ("01", "16", "19")
    keys = [f"0{e}-01-01-0{r}-{actor}" for actor in actors for e in range(1, 9) for r in (1, 2)]
    return write(tmp_path, made(keys))


def test_clips_are_joined_by_name_and_actors_are_split(folder: Path) -> None:
    corpus = ravdess.read(folder, EIGHT)
    sizes = [(d.id, d.split, len(d), set(d.speakers.tolist())) for d in corpus.dialogues]
    assert sizes == [
        ("actor01_0", "train", 14, {0}),
        ("actor01_1", "train", 2, {0}),
        ("actor16_0", "dev", 14, {1}),
        ("actor16_1", "dev", 2, {1}),
        ("actor19_0", "test", 14, {0}),
        ("actor19_1", "test", 2, {0}),
    ]
    assert (corpus.name, corpus.labels, corpus.speakers, corpus.standardise) == ("ravdess8", EIGHT, ("M", "F"), True)
    for one in corpus.dialogues:
        numbers = one.features["audio"][:, 0]
        np.testing.assert_array_equal(one.features["visual"], np.repeat(numbers[:, None] / 2, 35, axis=1))
        assert one.labels.tolist() == [int(name[6:8]) - 1 for name in one.utterances]
    assert {name for d in corpus.dialogues for name in d.utterances} >= {"03-01-08-01-01-02-19"}
    assert len({name for d in corpus.dialogues for name in d.utterances}) == 48


def test_four_classes_are_a_selection(folder: Path) -> None:
    four = ravdess.read(folder, ravdess.FOUR)
    assert (four.name, four.labels) == ("ravdess4", ("neutral", "happy", "sad", "angry"))
    for one in four.dialogues:
        assert [name[6:8] for name in one.utterances] == [("01", "03", "04", "05")[label] for label in one.labels]
    assert sum(map(len, four.dialogues)) == 24


@pytest.mark.parametrize("name", ["ravdess4", "ravdess8"])
def test_the_order_is_that_of_the_arrays_measured_here(name: str, shared_data: Path, tmp_path: Path) -> None:
    """The files are rebuilt from the arrays and the action units by name; the reader must find the same corpus."""
    expected = archive.read(shared_data / "ravdess" / f"{name}.npz")
    with (shared_data / "ravdess" / "visual_au35.csv").open(newline="") as file:
        units = {row[0][6:]: np.array(row[1:], float) for row in list(csv.reader(file))[1:]}
    names, table = list(units), np.array(list(units.values()))
    clips: Vectors = {}
    for one in expected.dialogues:
        for audio, visual in zip(one.features["audio"], one.features["visual"], strict=True):
            distance = np.abs(table - visual).max(axis=1)
            # Two clips of actor 7 have the same features: either may be first.
            key = next(names[k] for k in distance.argsort(kind="stable") if names[k] not in clips)
            clips[key] = (audio, visual)
    found = load(name, write(tmp_path, clips))
    assert found.hash == expected.hash
    assert (found.widths, len(found.dialogues)) == (expected.widths, len(expected.dialogues))


def test_every_corpus_has_one_name_and_both_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(folder).name == "ravdess8" and load("ravdess4", folder).name == "ravdess4"
    (note,) = load(folder).notes
    assert note.endswith("blob ids: ravdess_features.csv, df_average_AUs_total.csv")
    pinned = [catalogue.git_blob_id(folder / file.local) for file in catalogue.RAVDESS]
    files = tuple(
        catalogue.PublishedFile(file.repository, file.path, file.local, blob)
        for file, blob in zip(catalogue.RAVDESS, pinned, strict=True)
    )
    monkeypatch.setattr(catalogue, "RAVDESS", files)
    assert load(folder).notes == ()


def edited(name: str, row: int, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        lines = (folder / name).read_text().splitlines()
        assert old in lines[row]
        lines[row] = lines[row].replace(old, new, 1)
        (folder / name).write_text("\n".join(lines) + "\n")

    return change


A, V = ravdess.AUDIO, ravdess.VISUAL
BAD: dict[str, tuple[type[ReplicateError], str, Callable[[Path], None]]] = {
    "audio only": (NoMatch, "clip 03-01-02-01-01-02-01 is not in", edited(V, -4, "02-01-01-02-01", "02-02-01-02-01")),
    "song": (NotThisFormat, f"{A}:2: '03-02-01", edited(A, 1, "03-01-01", "03-02-01")),
    "no clip": (NotThisFormat, f"{V}:3: 'x'", edited(V, 2, "01-01-08-01-01-01-19;", "x;")),
    "twice": (NotThisFormat, f"{A}:3: clip 03-01-01-01-01-01-01 is also in", edited(A, 2, "-02-01.wav", "-01-01.wav")),
    "words": (NotThisFormat, f"{A}:2: 'loud' is not a number", edited(A, 1, "0.0", "loud")),
    "NaN": (NonFinite, "actor01_0, stream visual, utterance ", edited(V, -1, "0.0", "nan")),
    "infinity": (NonFinite, "stream audio, utterance ", edited(A, 1, "0.0", "1e300")),
    "column missing": (WrongWidth, f"{A}:2: 88 columns", edited(A, 1, "0.0,", "")),
    "header": (NotThisFormat, f"{V}:1: 34 different columns of features", edited(V, 0, "AU00_r", "AU_r")),
    "column twice": (NotThisFormat, f"{V}:1: 34 different columns", edited(V, 0, "AU01_r", "AU02_r")),
    "no names": (NotThisFormat, "0 called filename", edited(A, 0, "filename", "file")),
    "empty": (NotThisFormat, f"{A}:1: 0 different columns", lambda folder: (folder / A).write_text("") and None),
    "missing": (UnknownCorpus, "data fetch ravdess8", lambda folder: (folder / V).unlink()),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named_with_their_row(case: str, folder: Path) -> None:
    error, words, change = BAD[case]
    change(folder)
    assert_refused(lambda: ravdess.read(folder, EIGHT), error, words, folder)
