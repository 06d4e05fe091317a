from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from replicate.corpus import archive
from replicate.errors import BadAudio, BadModel, EmptyDialogue, NotThisFormat
from replicate.features import folder as folders
from replicate.features.assemble import to_corpus
from replicate.features.encoder import Choice, Encoder
from replicate.features.extract import extract, from_recipe
from replicate.features.smile import Smile
from replicate.features.source import measure
from tests.recordings import tone, write_wav


class Lengths:
    """Vectors of one number, the samples of the signal; stops with an interrupt before signal ``fails``."""

    stream = "audio"
    shortest = 100
    batch_seconds = 0.1

    def __init__(self, fails: int = 1_000, version: str = "1") -> None:
        self.recipe: dict[str, Any] = {"extractor": "lengths", "version": version}
        self.seen: list[int] = []
        self._fails = fails

    def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        if len(self.seen) + len(signals) > self._fails:
            raise KeyboardInterrupt
        self.seen += [len(signal) for signal in signals]
        return np.array([[len(signal)] for signal in signals], np.float32)


def run(folder: Path, extractor: Any, out: Path) -> Any:
    source, seconds = measure(folders.read(folder))
    return source, extract(source, seconds, extractor, out)


def test_each_utterance_gets_its_own_vector(folder: Path, tmp_path: Path) -> None:
    extractor = Lengths()
    source, found = run(folder, extractor, tmp_path / "out.npz")
    assert extractor.seen == sorted(extractor.seen, reverse=True)  # the longest first
    corpus = to_corpus(source, found.vectors, extractor)
    assert [d.features["audio"].tolist() for d in corpus.dialogues] == [[[3200], [4000], [4800]], [[5600], [6400]]]
    assert [d.utterances for d in corpus.dialogues] == [("u0", "u1", "u2"), ("u3", "u4")]
    assert [d.speakers.tolist() for d in corpus.dialogues] == [[1, 0, 1], [0, 1]]
    assert [d.labels.tolist() for d in corpus.dialogues] == [[1, 0, 1], [0, 1]]
    assert [d.split for d in corpus.dialogues] == ["train", "test"]
    assert corpus.recipes == {"audio": extractor.recipe}
    archive.write(corpus, tmp_path / "out.npz")
    assert archive.read(tmp_path / "out.npz").recipes == corpus.recipes


def test_an_interrupted_extraction_is_resumed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out.npz"
    first = Lengths(fails=2)
    with pytest.raises(KeyboardInterrupt):
        run(folder, first, out)
    assert first.seen == [6400, 5600]
    second = Lengths()
    _, found = run(folder, second, out)
    assert second.seen == [4800, 4000, 3200]
    assert sorted(vector[0] for vector in found.vectors.values()) == [3200, 4000, 4800, 5600, 6400]
    done: list[float] = []
    source, seconds = measure(folders.read(folder))
    extract(source, seconds, Lengths(fails=0), out, done.append)  # all is there
    assert sum(done) == pytest.approx(sum(seconds))


def test_vectors_of_another_recipe_or_recording_are_not_used(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    run(folder, Lengths(), out)
    other = Lengths(version="2")
    run(folder, other, out)
    assert len(other.seen) == 5
    write_wav(folder / "d1" / "u0.wav", tone(0.5))
    again = Lengths()
    run(folder, again, out)
    assert again.seen == [8000]


def test_utterances_that_cannot_be_extracted_are_named_and_the_others_saved(folder: Path, tmp_path: Path) -> None:
    write_wav(folder / "d1" / "u0.wav", np.zeros(3200, np.float32))
    write_wav(folder / "d1" / "u1.wav", tone(0.005))
    source, found = run(folder, Lengths(), tmp_path / "out.npz")
    words = sorted(map(str, found.problems))
    assert all(isinstance(problem, BadAudio) for problem in found.problems)
    assert "utterance u0: " in words[0] and "u0.wav is silent" in words[0]
    assert "utterance u1 lasts 5 ms, less than the 6 ms that lengths needs" in words[1]
    assert [d.utterances for d in to_corpus(source, found.vectors, Lengths()).dialogues] == [("u2",), ("u3", "u4")]
    with pytest.raises(EmptyDialogue, match="no utterance of folder is left"):
        to_corpus(source, {}, Lengths())


def test_vectors_that_are_not_finite_are_named_and_not_saved(folder: Path, tmp_path: Path) -> None:
    class Broken(Lengths):
        def __call__(self, signals: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
            found = super().__call__(signals)
            return np.where(found == 4000, np.nan, found)

    _, found = run(folder, Broken(), tmp_path / "out.npz")
    assert [str(problem) for problem in found.problems] == [
        "utterance u1: its features are NaN or infinite, first in stream audio, column 1: check the recording"
    ]
    again = Lengths()
    run(folder, again, tmp_path / "out.npz")
    assert again.seen == [4000]


def test_a_recipe_gives_the_same_features_again(folder: Path, hubert_layer: Path, tmp_path: Path) -> None:
    signals = [tone(0.3), tone(0.4)]
    for made in (Smile("GeMAPSv01b"), Encoder(Choice(str(hubert_layer), "weighted", (1, 2, 3, 4)), "cpu")):
        source, found = run(folder, made, tmp_path / f"{made.stream}.npz")
        archive.write(to_corpus(source, found.vectors, made), tmp_path / "out.npz")
        again = from_recipe(archive.read(tmp_path / "out.npz").recipes[made.stream], "cpu")
        assert again.recipe == made.recipe
        np.testing.assert_allclose(again(signals), made(signals), rtol=0, atol=1e-6)


def test_recipes_that_cannot_be_repeated(hubert_layer: Path) -> None:
    recipe = Encoder(Choice(str(hubert_layer)), "cpu").recipe
    with pytest.raises(BadModel, match="is not the model that the features were made with"):
        from_recipe(recipe | {"parameters": "0"}, "cpu")
    for broken in ({}, {"extractor": "praat"}, {"extractor": "opensmile"}, {"extractor": "hubert", "model": "x"}):
        with pytest.raises(NotThisFormat, match="has no complete recipe"):
            from_recipe(broken)
    with pytest.raises(NotThisFormat, match=r"made from transcripts .*, which recordings do not have"):
        from_recipe({"extractor": "tfidf", "components": 100})
