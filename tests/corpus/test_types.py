from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from replicate.corpus.types import Corpus
from replicate.errors import (
    BadName,
    EmptyDialogue,
    LengthMismatch,
    NonFinite,
    OutOfRange,
    ReplicateError,
    SplitOverlap,
    WrongWidth,
)

from .conftest import corpus, dialogue


def features(audio: Any, n: int = 2) -> dict[str, Any]:
    return {"features": {"audio": np.asarray(audio, np.float32), "text": np.ones((n, 1), np.float32)}}


BAD: dict[str, tuple[type[ReplicateError], str, Callable[[], Corpus]]] = {
    "no dialogue": (EmptyDialogue, "made-up", lambda: corpus()),
    "empty dialogue": (EmptyDialogue, "dialogue d2", lambda: corpus(dialogue(), dialogue("d2", 0))),
    "not a number": (
        NonFinite,
        "d1, stream audio, utterance 2, column 1: nan",
        lambda: corpus(dialogue(**features([[0, 1], [np.nan, 1]]))),
    ),
    "not a number in a named utterance": (
        NonFinite,
        "made-up, dialogue d1, stream audio, utterance 2 (second), column 1 (pitch): nan is not a finite number",
        lambda: corpus(
            dialogue(**features([[0, 1], [np.nan, 1]]), utterances=("first", "second")),
            recipes={"audio": {"columns": ["pitch", "jitter"]}},
        ),
    ),
    "infinite": (NonFinite, "column 2: -inf", lambda: corpus(dialogue(**features([[0, -np.inf], [0, 1]])))),
    "width of another dialogue": (
        WrongWidth,
        "d2, stream audio: 3 columns where the first dialogue has 2",
        lambda: corpus(dialogue(), dialogue("d2", **features(np.ones((2, 3))))),
    ),
    "no columns": (WrongWidth, "0 columns", lambda: corpus(dialogue(**features(np.ones((2, 0)))))),
    "vector for a stream": (WrongWidth, "shape (2,)", lambda: corpus(dialogue(**features([1, 2])))),
    "rows": (LengthMismatch, "3 rows for 2", lambda: corpus(dialogue(**features(np.ones((3, 2)))))),
    "speakers": (
        LengthMismatch,
        "1 speakers for 2 utterances",
        lambda: corpus(dialogue(speakers=np.zeros(1, np.int64))),
    ),
    "streams": (
        LengthMismatch,
        "d2 has streams audio",
        lambda: corpus(dialogue(), dialogue("d2", features={"audio": np.ones((2, 2), np.float32)})),
    ),
    "label too large": (
        OutOfRange,
        "utterance 2: label 2 is outside 0 to 1 (no, yes)",
        lambda: corpus(dialogue(labels=np.array([0, 2]))),
    ),
    "label negative": (OutOfRange, "label -1", lambda: corpus(dialogue(labels=np.array([-1, 0])))),
    "speaker": (OutOfRange, "speaker 2", lambda: corpus(dialogue(speakers=np.array([2, 0])))),
    "split": (OutOfRange, "'validation'", lambda: corpus(dialogue(split="validation"))),
    "control": (OutOfRange, "made-up: control 'null' is not", lambda: corpus(dialogue(), control="null")),
    "two splits": (
        SplitOverlap,
        "d1 is listed 2 times (in test, train)",
        lambda: corpus(dialogue(), dialogue(split="test")),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_corpora_are_refused_by_name_and_place(case: str) -> None:
    error, words, make = BAD[case]
    with pytest.raises(ReplicateError) as caught:
        make()
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_split_and_widths() -> None:
    made = corpus(dialogue("a"), dialogue("b", split="test"), dialogue("c", 5))
    assert [d.id for d in made.split("train")] == ["a", "c"]
    assert made.widths == {"audio": 2, "text": 1}
    assert [len(d) for d in made.dialogues] == [2, 2, 5]


def test_the_hash_depends_on_everything_that_decides_numbers_and_on_nothing_else() -> None:
    two = (dialogue("a"), dialogue("b"))
    base = corpus(*two).hash
    assert corpus(*two, name="other", notes=("x",), control="negative").hash == base
    others = [
        corpus(two[1], two[0]),
        corpus(two[0], dialogue("b", split="dev")),
        corpus(two[0], dialogue("c")),
        corpus(two[0], dialogue("b", labels=np.array([1, 1]))),
        corpus(two[0], dialogue("b", speakers=np.array([1, 1]))),
        corpus(two[0], dialogue("b", **features([[0, 1], [2, 3.5]]))),
        corpus(*two, standardise=False),
        corpus(*two, labels=("yes", "no")),
    ]
    assert len({base, *(other.hash for other in others)}) == len(others) + 1


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mred", "x" * 101])
@pytest.mark.parametrize("where", ["name", "labels", "speakers", "dialogue", "stream"])
def test_names_that_no_table_or_folder_can_show_are_refused(name: str, where: str) -> None:
    change: dict[str, Callable[[], Corpus]] = {
        "name": lambda: corpus(dialogue(), name=name),
        "labels": lambda: corpus(dialogue(), labels=("no", name)),
        "speakers": lambda: corpus(dialogue(), speakers=("M", name)),
        "dialogue": lambda: corpus(dialogue(name)),
        "stream": lambda: corpus(dialogue(features={name: np.ones((2, 1), np.float32)})),
    }
    with pytest.raises(BadName):
        change[where]()


def test_classes_of_one_name_are_refused() -> None:
    with pytest.raises(BadName, match="repeated"):
        corpus(dialogue(), labels=("no", "no"))
