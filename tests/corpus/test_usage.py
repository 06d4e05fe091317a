"""What in a corpus makes its scores meaningless is noted, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from replicate.corpus.synthetic import generate
from replicate.corpus.types import Corpus, Dialogue
from replicate.corpus.usage import warnings


def corpus(*labels: list[int], classes: tuple[str, ...] = ("no", "yes"), audio: Any = None, **fields: Any) -> Corpus:
    """A corpus of a dialogue for each split with these labels."""
    dialogues = []
    for i, (split, numbers) in enumerate(zip(("train", "dev", "test"), labels, strict=True)):
        n = len(numbers)
        columns = np.random.default_rng(i).standard_normal((n, 3)).astype(np.float32)
        if audio is not None:
            columns[:, 1] = audio[i]
        dialogues.append(Dialogue(split, np.zeros(n, np.int64), np.array(numbers), {"audio": columns}, split))  # type: ignore[arg-type]
    return Corpus("made-up", classes, tuple(dialogues), **fields)


def test_an_ordinary_corpus_is_not_warned_of() -> None:
    assert warnings(corpus([0, 1], [1, 0], [1, 0])) == []
    assert warnings(generate("synthetic-tiny")) == []


def test_a_corpus_of_one_class() -> None:
    (line,) = warnings(corpus([1, 1], [1], [1]))
    assert line == "every utterance is of class yes: all scores will be 1, and mean nothing"


def test_classes_that_do_not_occur() -> None:
    found = corpus([0, 1, 2], [0, 1], [0], classes=("a", "b", "c", "d"))
    assert warnings(found) == [
        "no utterance is of class d",
        "no utterance of dev is of class c, which other splits have",
        "no utterance of test is of class b, c, which other splits have",
    ]
    assert warnings(found, splits=False) == ["no utterance is of class d"]
    many = corpus([0, 1], [0, 1], [0, 1], classes=tuple("abcdefgh"))
    assert warnings(many) == ["no utterance is of class c, d, e and 3 more"]


def test_names_that_differ_in_capitals_alone() -> None:
    found = corpus([0, 1, 2], [0, 1, 2], [0, 1, 2], classes=("Happy", "sad", "happy "), speakers=("M", "m", "F"))
    assert warnings(found) == [
        "classes Happy, happy  differ in capitals or spaces alone: rename them if they are one",
        "speakers M, m differ in capitals or spaces alone: rename them if they are one",
    ]


def test_names_that_look_the_same() -> None:
    names = ("Zo\u00eb", "Zoe\u0308", "sad", "\uff33\uff21\uff24")
    first, second = warnings(corpus([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], classes=names))
    assert first == "classes Zo\u00eb, Zoe\u0308 are written with other characters that look the same: rename them"
    assert "sad, \uff33\uff21\uff24 differ in capitals" in second
    one = corpus([0, 1], [0, 1], [0, 1])
    ids = ("\u00e9", "e\u0301", "E\u0301")  # capitals may tell dialogues apart
    alike = replace(one, dialogues=tuple(replace(each, id=id_) for each, id_ in zip(one.dialogues, ids, strict=True)))
    (line,) = warnings(alike)
    assert line.startswith("dialogues \u00e9, e\u0301 are written with other characters")


def test_a_split_without_dialogues() -> None:
    whole = corpus([0, 1], [0, 1], [0, 1])
    train = replace(whole, dialogues=whole.dialogues[:1])
    assert warnings(train) == ["no dialogue is in dev, test: training needs train, dev and test"]
    assert warnings(train, splits=False) == []
    assert warnings(replace(whole, dialogues=whole.dialogues[2:])) == []  # for prediction


def test_a_stream_that_is_constant_everywhere() -> None:
    found = corpus([0, 1], [0, 1], [0, 1])
    for dialogue in found.dialogues:
        dialogue.features["audio"][:] = 2
    assert warnings(found) == ["stream audio has the same values for every utterance, from which nothing is learned"]


def test_columns_that_are_constant_in_train_alone() -> None:
    labels = ([0, 1], [0, 1], [0, 1])
    assert warnings(corpus(*labels, audio=[5, 5, 5])) == []
    assert warnings(corpus(*labels, audio=[5, 5, 6])) == [
        "stream audio: 1 column is constant in train and not in dev and test (2)"
    ]
    named = corpus(*labels, audio=[5, 6, 5], recipes={"audio": {"columns": ["pitch", "loudness", "rate"]}})
    assert warnings(named) == ["stream audio: 1 column is constant in train and not in dev and test (loudness)"]
    assert warnings(named, splits=False) == []
