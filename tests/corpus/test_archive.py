from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from replicate.corpus import archive
from replicate.corpus.types import CONTROLS, SPLITS, Corpus, Dialogue
from replicate.errors import (
    BadName,
    CannotWrite,
    EmptyDialogue,
    LengthMismatch,
    NonFinite,
    NotThisFormat,
    OutOfRange,
    ReplicateError,
    SplitOverlap,
)

from .conftest import assert_refused, corpus, dialogue

# Printable characters, and among them spaces.
LETTERS = st.characters(exclude_categories=("C", "Z")) | st.just(" ")
NAMES = st.text(LETTERS, min_size=1, max_size=8).filter(str.strip)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    ids = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    labels = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    speakers = tuple(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)))
    widths = draw(st.dictionaries(st.sampled_from(["audio", "visual", "a/b"]), st.integers(1, 3), min_size=1))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    dialogues = []
    named = draw(st.booleans())
    for id_ in ids:
        n = draw(st.integers(1, 3))
        dialogues.append(
            Dialogue(
                id_,
                draw(hnp.arrays(np.int64, n, elements=st.integers(0, len(speakers) - 1))),
                draw(hnp.arrays(np.int64, n, elements=st.integers(0, len(labels) - 1))),
                {name: draw(hnp.arrays(np.float32, (n, d), elements=finite)) for name, d in widths.items()},
                draw(st.sampled_from(SPLITS)),
                tuple(draw(st.lists(NAMES, min_size=n, max_size=n, unique=True))) if named else (),
            )
        )
    return Corpus(
        draw(NAMES),
        labels,
        tuple(dialogues),
        speakers,
        standardise=draw(st.booleans()),
        control=draw(st.sampled_from(CONTROLS)),
        notes=tuple(draw(st.lists(NAMES, max_size=2))),
        recipes=draw(st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES | st.lists(NAMES)), max_size=2)),
    )


@settings(max_examples=25, deadline=None)
@given(corpora())
def test_writing_and_loading_keeps_a_corpus(tmp_path_factory: pytest.TempPathFactory, made: Corpus) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.npz"
    archive.write(made, path)
    found = archive.read(path)
    assert found.hash == made.hash
    assert (found.name, found.notes, found.widths) == (made.name, made.notes, made.widths)
    assert found.control == made.control
    assert found.recipes == made.recipes
    assert [dialogue.utterances for dialogue in found.dialogues] == [dialogue.utterances for dialogue in made.dialogues]
    assert all(array.dtype == np.float32 for array in found.dialogues[0].features.values())


def test_the_same_corpus_gives_the_same_bytes_and_no_pickle(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        archive.write(corpus(dialogue()), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as loaded:
        assert {"format", "length", "stream/audio", "stream/text"} <= set(loaded.files)
        assert all(loaded[key].dtype != object for key in loaded.files)


def test_a_file_cannot_mark_itself_as_published(tmp_path: Path) -> None:
    archive.write(corpus(dialogue(), published=True), tmp_path / "a.npz")
    assert not archive.read(tmp_path / "a.npz").published
    rewrite(tmp_path / "a.npz", lambda arrays: arrays.update(published=np.array(True)))
    assert not archive.read(tmp_path / "a.npz").published


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with np.load(path) as loaded:
        arrays = dict(loaded)
    change(arrays)
    np.savez(path, **arrays)


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    archive.write(corpus(dialogue("a"), dialogue("b", 3, "test")), tmp_path / "corpus.npz")
    return tmp_path / "corpus.npz"


@pytest.mark.parametrize("dtype", ["f8", "f2", ">f4"])
def test_other_floats_become_float32(dtype: str, corpus_file: Path) -> None:
    before = archive.read(corpus_file).hash
    rewrite(corpus_file, lambda arrays: arrays.update({"stream/audio": arrays["stream/audio"].astype(dtype)}))
    assert archive.read(corpus_file).dialogues[0].features["audio"].dtype == np.float32
    assert archive.read(corpus_file).hash == before


@pytest.mark.parametrize("dtype", ["i1", "u1", "u8", ">i4"])
def test_labels_can_be_of_any_integer_type(dtype: str, corpus_file: Path) -> None:
    before = archive.read(corpus_file).hash

    def change(arrays: dict[str, Any]) -> None:
        arrays.update({key: arrays[key].astype(dtype) for key in ("label", "speaker", "length")})

    rewrite(corpus_file, change)
    assert archive.read(corpus_file).hash == before


def put(**arrays: Any) -> Callable[[dict[str, Any]], Any]:
    made = {key.replace("__", "/"): np.array(value) for key, value in arrays.items()}
    return lambda arrays: arrays.update(made)


def stream(row: int, column: int, value: float) -> Callable[[dict[str, Any]], Any]:
    return lambda arrays: arrays["stream/audio"].__setitem__((row, column), value)


BAD: dict[str, tuple[type[ReplicateError], str, Callable[[dict[str, Any]], Any]]] = {
    "another npz": (NotThisFormat, "not marked as", lambda arrays: arrays.pop("format")),
    "another version": (NotThisFormat, "not marked as", put(format="bridging-modalities corpus 2")),
    "no labels": (NotThisFormat, "'label' is missing", lambda arrays: arrays.pop("label")),
    "no stream": (NotThisFormat, "no feature stream", lambda s: [s.pop(f"stream/{x}") for x in ("audio", "text")]),
    "float labels": (
        NotThisFormat,
        "'label' is float64 of shape (5,), not integers with 1 dimension: save it as",
        put(label=[0.0, 1, 0, 1, 0]),
    ),
    "bool labels": (NotThisFormat, "'label' is bool", put(label=[True] * 5)),
    "text features": (NotThisFormat, "'stream/audio' is <U1", put(stream__audio=[["a", "b"]] * 5)),
    "integer features": (NotThisFormat, "'stream/audio' is int64", put(stream__audio=[[1, 2]] * 5)),
    "flat features": (NotThisFormat, "of shape (5,)", put(stream__audio=[1.0] * 5)),
    "objects of pandas": (
        NotThisFormat,
        "'split' holds Python objects: save it as text, np.array(..., dtype=str)",
        put(split=np.array(["train", "dev"], object)),
    ),
    "float objects": (
        NotThisFormat,
        "save it as integers, np.array(..., dtype=int)",
        put(label=np.array([0.0] * 5, object)),
    ),
    "stream of objects": (
        NotThisFormat,
        "'stream/audio' holds Python objects: save it as floats, np.array(..., dtype=float)",
        put(stream__audio=np.array([[1.0, 2]] * 5, object)),
    ),
    "ids of numbers": (NotThisFormat, "'dialogue' is int64", put(dialogue=[1, 2])),
    "no column": (
        NotThisFormat,
        "'stream/audio' has no column: save its features, or leave it out",
        put(**{"stream/audio": np.zeros((5, 0), np.float32)}),
    ),
    "objects": (NotThisFormat, "'dialogue' holds Python objects", put(dialogue=np.array(["a", None], object))),
    "negative length": (NotThisFormat, "'length' of dialogue a is -1", put(length=[-1, 6])),
    "lengths too long": (
        LengthMismatch,
        "'speaker' has 5 rows, but the lengths add up to 6 utterances",
        put(length=[3, 3]),
    ),
    "lengths that wrap around": (LengthMismatch, "'speaker' has 5 rows", put(length=[2**63 - 1, 2**63 - 1])),
    "rows of a stream": (LengthMismatch, "'stream/audio' has 4 rows", put(stream__audio=[[1.0, 2]] * 4)),
    "split missing": (LengthMismatch, "'dialogue' has 2 values, 'split' 1 and 'length' 2", put(split=["train"])),
    "unknown split": (OutOfRange, "'validation'", put(split=["train", "validation"])),
    "label": (OutOfRange, "dialogue b, utterance 3: label 2", put(label=[0, 1, 0, 1, 2])),
    "unsigned label": (OutOfRange, "dialogue a, utterance 1: label -1", put(label=np.array([2**64 - 1] * 5, "u8"))),
    "speaker": (OutOfRange, "dialogue a, utterance 2: speaker -1", put(speaker=[0, -1, 0, 1, 0])),
    "empty dialogue": (EmptyDialogue, "dialogue a", put(length=[0, 5])),
    "twice": (SplitOverlap, "dialogue a is listed 2 times", put(dialogue=["a", "a"])),
    "not a number": (NonFinite, "dialogue b, stream audio, utterance 2, column 1: nan", stream(3, 0, np.nan)),
    "not a number in a named utterance": (
        NonFinite,
        "dialogue b, stream audio, utterance 2 (d), column 1: nan",
        lambda arrays: (put(utterance=list("abcde"))(arrays), stream(3, 0, np.nan)(arrays)),
    ),
    "infinity": (NonFinite, "dialogue a, stream audio, utterance 1, column 2: inf", stream(0, 1, np.inf)),
    "names missing": (LengthMismatch, "'utterance' has 4 rows", put(utterance=["a", "b", "c", "d"])),
    "names twice": (
        BadName,
        "dialogue b: utterance names are missing or repeated",
        put(utterance=["a", "b", "c", "d", "c"]),
    ),
    "recipes of text": (NotThisFormat, "'recipes' is not JSON", put(recipes="opensmile")),
    "recipes of nothing": (NotThisFormat, "an object per stream", put(recipes='{"audio": null}')),
    "recipes without end": (NotThisFormat, "'recipes' is not JSON", put(recipes="[" * 100_000)),
    "too large": (NonFinite, "dialogue a", put(stream__audio=[[1e300, 2]] * 5)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_archives_are_refused_with_their_path(case: str, corpus_file: Path) -> None:
    error, words, change = BAD[case]
    rewrite(corpus_file, change)
    assert_refused(lambda: archive.read(corpus_file), error, words, corpus_file)


def test_every_truncation_is_a_format_error(corpus_file: Path) -> None:
    whole = corpus_file.read_bytes()
    for cut in range(0, len(whole), 97):
        corpus_file.write_bytes(whole[:cut])
        with pytest.raises(NotThisFormat, match=r"corpus\.npz"):
            archive.read(corpus_file)


def test_other_files_are_not_this_format(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(NotThisFormat):
        archive.read(path)
    np.save(path.open("wb"), np.ones(3))
    with pytest.raises(NotThisFormat):
        archive.read(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(NotThisFormat, match="not marked"):
        archive.read(path)


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"absent\.npz"):
        archive.read(tmp_path / "absent.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        archive.write(corpus(dialogue()), tmp_path / "file" / "x.npz")


def test_a_name_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="zero character"):
        archive.write(corpus(dialogue(), notes=("a\0",)), tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []
