from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.corpus import catalogue, pickled_objects, unpickle
from replicate.corpus.readers import cogmen
from replicate.corpus.types import SPLITS
from replicate.errors import (
    EmptyDialogue,
    LengthMismatch,
    NonFinite,
    NotThisFormat,
    OutOfRange,
    ReplicateError,
    SplitOverlap,
    UnsafePickle,
    WrongWidth,
)
from replicate.limits import MIB, Budget
from tests.corpus.conftest import assert_refused

IDS, SPEAKER, LABEL, TEXT, AUDIO, VISUAL, SENTENCE, TRAIN, TEST = range(9)


@pytest.mark.parametrize("name", ["IEMOCAP_features_4.pkl", "data_iemocap_4.pkl"])
def test_the_released_formats_give_the_expected_corpus(name: str, shared_data: Path) -> None:
    corpus = cogmen.read(shared_data / "iemocap4_format" / name)
    with np.load(shared_data / "iemocap4_format" / "expected.npz") as expected:
        train, test = expected["train"].tolist(), expected["test"].tolist()
        assert [d.id for d in corpus.dialogues] == train + test
        assert [d.split for d in corpus.dialogues] == ["dev"] + ["train"] * 9 + ["test"] * 2
        for d in corpus.dialogues:
            np.testing.assert_array_equal(d.speakers, expected[f"speaker/{d.id}"])
            np.testing.assert_array_equal(d.labels, expected[f"label/{d.id}"])
            for stream in ("audio", "visual", "text"):
                np.testing.assert_array_equal(d.features[stream], expected[f"{stream}/{d.id}"])
                assert d.features[stream].dtype == np.float32
    assert ("sbert" in corpus.widths) == name.startswith("data")
    assert corpus.labels == ("happy", "sad", "neutral", "angry")
    assert (corpus.name, corpus.speakers, corpus.standardise) == ("iemocap4", ("M", "F"), False)
    assert not corpus.published
    assert corpus.notes == (f"{name} is not one of the published files, by its git blob id",)


def test_the_raw_features_name_their_utterances(nine: list[Any], pickled: Callable[..., Path]) -> None:
    nine[IDS]["t3"] = ["t3_0", "t3_0", "t3_1"]
    names = {d.id: d.utterances for d in cogmen.read(pickled(tuple(nine))).dialogues}
    assert names["t0"] == ("t0_0", "t0_1", "t0_2")
    assert names["t3"] == ()  # names that repeat do not identify utterances


@pytest.fixture
def samples(nine: list[Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[pickled_objects.Sample]]:
    """The same dialogues after preprocessing."""

    def sample(id_: str) -> pickled_objects.Sample:
        made = pickled_objects.Sample()
        fields = ("speaker", "label", "text", "audio", "visual", "sentence")
        made.fields = {"vid": id_, **{field: nine[1 + i][id_] for i, field in enumerate(fields)}}
        made.fields["sbert_sentence_embeddings"] = np.ones((3, 768), np.float32)
        return made

    train, test = nine[TRAIN], nine[TEST]
    split = {"train": train[1:], "dev": train[:1], "test": test}
    return {name: [sample(id_) for id_ in ids] for name, ids in split.items()}


def read_samples(content: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read Samples in memory; a real file of this format is in the first test."""
    monkeypatch.setattr(unpickle, "load", lambda path: content)
    monkeypatch.setattr(unpickle, "budget", lambda path: Budget(path, 0, MIB, 0, ""))
    monkeypatch.setattr(catalogue, "git_blob_id", lambda path: "")
    return cogmen.read(Path("samples.pkl"))


def test_both_formats_agree(
    nine: list[Any], samples: Any, pickled: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = cogmen.read(pickled(tuple(nine)))
    preprocessed = read_samples(samples, monkeypatch)
    assert [(d.id, d.split) for d in raw.dialogues] == [(d.id, d.split) for d in preprocessed.dialogues]
    assert [len(raw.split(split)) for split in SPLITS] == [10, 1, 2]
    assert preprocessed.widths == {**raw.widths, "sbert": 768}
    np.testing.assert_array_equal(raw.dialogues[3].features["visual"], preprocessed.dialogues[3].features["visual"])


@pytest.mark.parametrize(
    ("name", "label", "classes"),
    [
        ("IEMOCAP_features_4.pkl", 3, 4),
        ("IEMOCAP_features.pkl", 3, 6),
        ("data_iemocap.pkl", 3, 6),
        ("other.pkl", 3, 4),
        ("other.pkl", 4, 6),
    ],
)
def test_four_or_six_classes(
    name: str, label: int, classes: int, nine: list[Any], pickled: Callable[..., Path]
) -> None:
    nine[LABEL]["t3"] = [label, 0, 0]
    corpus = cogmen.read(pickled(tuple(nine), name))
    assert corpus.labels == ("happy", "sad", "neutral", "angry", "excited", "frustrated")[:classes]
    assert corpus.name == f"iemocap{classes}"
    assert not corpus.published


def test_a_six_class_label_in_the_four_class_file_is_refused(nine: list[Any], pickled: Callable[..., Path]) -> None:
    nine[LABEL]["t3"] = [4, 0, 0]
    with pytest.raises(OutOfRange, match=r"IEMOCAP_features_4\.pkl: .*t3, utterance 1: label 4"):
        cogmen.read(pickled(tuple(nine), "IEMOCAP_features_4.pkl"))


def release(counts: tuple[int, ...] = (648, 1084, 1708, 1103), dialogues: int = 151) -> tuple[Any, ...]:
    """Nine raw fields in the shape of the published file: COGMEN's selection has 4,543 utterances."""
    labels = np.repeat(np.arange(4), counts)
    rows = [np.zeros(width, np.float32) for width in (100, 100, 512)]
    fields: list[Any] = [{} for _ in range(7)]
    ids = [f"d{i}" for i in range(dialogues)]
    for id_, chosen in zip(ids, np.array_split(labels, dialogues), strict=True):
        n = len(chosen)
        entry = (["u"] * n, ["F"] * n, chosen.tolist(), *([row] * n for row in rows), ["s"] * n)
        for field, value in zip(fields, entry, strict=True):
            field[id_] = value
    return (*fields, ids[: dialogues - 31], ids[dialogues - 31 :])


@pytest.mark.parametrize("counts", [(648, 1084, 1708, 1103), (595, 1084, 1708, 1103)])
def test_a_file_in_the_shape_of_the_release_is_not_the_release_and_no_count_is_complained_about(
    counts: tuple[int, ...], pickled: Callable[..., Path]
) -> None:
    corpus = cogmen.read(pickled(release(counts), "IEMOCAP_features_4.pkl"))
    assert (len(corpus.dialogues), sum(map(len, corpus.dialogues))) == (151, sum(counts))
    assert not corpus.published
    assert corpus.notes == ("IEMOCAP_features_4.pkl is not one of the published files, by its git blob id",)


def test_the_release_is_recognised_by_its_blob_id_whatever_its_name_and_size(
    nine: list[Any], pickled: Callable[..., Path], publish: Callable[[Path], None]
) -> None:
    path = pickled(tuple(nine), "renamed.pkl")
    assert not cogmen.read(path).published
    publish(path)
    assert cogmen.read(path).published and cogmen.read(path).notes == ()
    nine[SPEAKER]["t3"] = ["F", "F", "M"]
    assert not cogmen.read(pickled(tuple(nine), "renamed.pkl")).published


def put(field: int, value: Any, id_: str = "t2") -> Callable[[list[Any]], None]:
    return lambda nine: nine[field].__setitem__(id_, value)


def vectors(width: int, bad: float = 0) -> list[np.ndarray]:
    return [np.full(width, bad if i == 1 else 1, np.float64) for i in range(3)]


BAD: dict[str, tuple[type[ReplicateError], str, Callable[[list[Any]], Any]]] = {
    "speaker letter": (OutOfRange, "t2, utterance 2: speaker 'X'", put(SPEAKER, ["M", "X", "F"])),
    "speaker number": (OutOfRange, "t2, utterance 1: speaker 0", put(SPEAKER, [0, 1, 0])),
    "label": (OutOfRange, "t2, utterance 3: label 6", put(LABEL, [0, 1, 6])),
    "huge label": (OutOfRange, "t2, utterance 1: label 1000", put(LABEL, [10**30, 1, 1])),
    "label as a float": (NotThisFormat, "t2, utterance 1: label 0.5", put(LABEL, [0.5, 1, 1])),
    "labels are no list": (NotThisFormat, "t2: label is not a list", put(LABEL, "012")),
    "too few speakers": (LengthMismatch, "t2: 2 entries of speaker for 3 labels", put(SPEAKER, ["M", "F"])),
    "too many rows": (LengthMismatch, "t2: 4 entries of audio", put(AUDIO, [*vectors(100), np.ones(100)])),
    "too few sentences": (LengthMismatch, "t2: 1 entries of sentence", put(SENTENCE, ["a"])),
    "too few ids": (LengthMismatch, "t2: 0 entries of utterance ids", put(IDS, [])),
    "empty": (EmptyDialogue, "t2", lambda nine: [field.__setitem__("t2", []) for field in nine[:7]]),
    "not a number": (NonFinite, "t2, stream audio, utterance 2 (t2_1), column 1", put(AUDIO, vectors(100, np.nan))),
    "infinity": (NonFinite, "t2, stream visual, utterance 2", put(VISUAL, vectors(512, np.inf))),
    "too large for float32": (NonFinite, "t2, stream text", put(TEXT, vectors(100, 1e300))),
    "width": (WrongWidth, "t2, stream text", put(TEXT, vectors(99))),
    "width inside a dialogue": (
        WrongWidth,
        "t2, stream text, utterance 3: 99 columns after 100",
        put(TEXT, [np.ones(100), np.ones(100), np.ones(99)]),
    ),
    "words for numbers": (NotThisFormat, "t2, stream text, utterance 1", put(TEXT, ["a", "b", "c"])),
    "ragged": (NotThisFormat, "t2, stream text, utterance 1", put(TEXT, [[[1], [1, 2]]] * 3)),
    "listed without features": (
        NotThisFormat,
        "ghost: in the test list, but without utterance ids, speaker",
        lambda nine: nine[TEST].append("ghost"),
    ),
    "no audio": (NotThisFormat, "t2: in the training list, but without audio", lambda n: n[AUDIO].pop("t2")),
    "nothing for a stream": (NotThisFormat, "t2: no audio", put(AUDIO, None)),
    "two splits": (SplitOverlap, "t2 is listed 2 times", lambda nine: nine[TEST].append("t2")),
    "twice in one": (SplitOverlap, "t2 is listed 2 times", lambda nine: nine[TRAIN].append("t2")),
    "list of numbers": (NotThisFormat, "its training list", lambda nine: nine.__setitem__(TRAIN, [1, 2])),
    "field is a list": (NotThisFormat, "its field 'label' is a list", lambda nine: nine.__setitem__(LABEL, [])),
    "eight fields": (NotThisFormat, "neither the 9 fields", lambda nine: nine.pop()),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_raw_features_name_file_and_dialogue(case: str, nine: list[Any], pickled: Callable[..., Path]) -> None:
    error, words, change = BAD[case]
    change(nine)
    path = pickled(tuple(nine))
    assert_refused(lambda: cogmen.read(path), error, words, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s["train"][2].fields.pop("audio"), "t3: no audio"),
        (lambda s: s["train"][2].fields.pop("vid"), "entry 3 of 'train' has no name"),
        (lambda s: s["test"].append({"vid": "x"}), "entry 3 of 'test' is not a Sample"),
        (lambda s: s.update(dev=None), "'dev' is not a list"),
        (lambda s: s.pop("dev"), "neither the 9 fields"),
    ],
)
def test_bad_samples_name_file_and_dialogue(
    change: Callable[[Any], Any], words: str, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(samples)
    with pytest.raises(NotThisFormat) as caught:
        read_samples(samples, monkeypatch)
    assert words in str(caught.value)
    assert "samples.pkl" in str(caught.value)


def test_sentence_embeddings_in_some_samples_only(samples: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    samples["test"][0].fields["sbert_sentence_embeddings"] = None
    with pytest.raises(LengthMismatch, match="e0 has streams audio, text, visual"):
        read_samples(samples, monkeypatch)


def test_dialogues_that_are_left_out_are_named(nine: list[Any], pickled: Callable[..., Path]) -> None:
    nine[TEST].remove("e1")
    assert cogmen.read(pickled(tuple(nine))).notes[0] == "dialogues in neither split list, left out: e1"


def test_split_lists_without_order_are_sorted_with_a_note(nine: list[Any], pickled: Callable[..., Path]) -> None:
    nine[TRAIN] = set(nine[TRAIN])
    corpus = cogmen.read(pickled(tuple(nine)))
    assert [d.id for d in corpus.split("dev")] == ["t0"]
    assert [d.id for d in corpus.split("train")][:2] == ["t1", "t10"]
    assert "no order" in corpus.notes[0]


@pytest.mark.parametrize("content", [b"no pickle", pickle.dumps([1, 2]), pickle.dumps({"train": []})])
def test_other_files_are_not_this_format(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(NotThisFormat, match=r"x\.pkl"):
        cogmen.read(tmp_path / "x.pkl")


def test_a_truncated_release_is_not_this_format(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "iemocap4_format" / "IEMOCAP_features_4.pkl").read_bytes()
    path = tmp_path / "IEMOCAP_features_4.pkl"
    for keep in (0.1, 0.5, 0.999):
        path.write_bytes(whole[: int(keep * len(whole))])
        with pytest.raises(NotThisFormat, match="truncated"):
            cogmen.read(path)


def test_a_pickle_that_names_code_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        cogmen.read(tmp_path / "x.pkl")
