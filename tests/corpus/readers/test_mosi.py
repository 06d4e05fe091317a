from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from replicate.corpus.readers import mosi
from replicate.corpus.types import SPLITS
from replicate.errors import (
    LengthMismatch,
    NonFinite,
    NotThisFormat,
    OutOfRange,
    ReplicateError,
    SplitOverlap,
    UnknownCorpus,
    WrongWidth,
)
from tests.corpus.conftest import assert_refused

COLUMNS = {"audio": 73, "video": 100, "text": 100}


def write(path: Path, rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)


def edit(path: Path, change: Callable[[list[list[str]]], Any]) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    change(rows)
    write(path, rows)


def write_small(folder: Path) -> Path:
    """Training videos w, v (utterances 1, 2, 10 out of order) and test video z; feature = transcript row."""
    names = ["v_1", "v_10", "v_2", "w_1", "z_1", "z_2"]
    labels = [0, 1, 1, 0, 1, 0]
    transcripts = [[name, 'WELL, "SO"\nAND ON', "93", label] for name, label in zip(names, labels, strict=True)]
    write(folder / "transcripts.csv", transcripts)
    for part, rows in (("train", [3, 1, 2, 0]), ("test", [4, 5])):
        write(folder / f"text_{part}.csv", [[row, *[0.5] * 100] for row in rows])
        for name, columns in COLUMNS.items():
            features = [[float(row)] * columns + [labels[row]] for row in rows]
            write(folder / name / f"{name}_{part}0.csv", features)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small(tmp_path)


def test_the_published_corpus(shared_data: Path) -> None:
    corpus = mosi.read(shared_data / "mosi")
    assert [len(corpus.split(split)) for split in SPLITS] == [56, 6, 31]
    sizes = {split: sum(map(len, corpus.split(split))) for split in SPLITS}
    assert (sizes["train"] + sizes["dev"], sizes["test"]) == (1447, 752)
    assert corpus.widths == {"audio": 73, "visual": 100, "text": 100}
    assert corpus.labels == ("negative", "positive")
    assert (corpus.name, corpus.speakers, corpus.standardise) == ("mosi", ("speaker",), True)
    assert corpus.notes == ()
    assert not corpus.published
    assert corpus.dialogues[0].id == "1DmNV9C1hbY"
    # Every training row, the other way round: utterance n of a video is its n-th.
    with (shared_data / "mosi" / "transcripts.csv").open(newline="") as file:
        ids = [row[0].rsplit("_", 1) for row in csv.reader(file)]
    index = np.loadtxt(shared_data / "mosi" / "text_train.csv", int, delimiter=",", quotechar='"', usecols=0)
    by_id = {dialogue.id: dialogue for dialogue in corpus.dialogues}
    rows = np.loadtxt(shared_data / "mosi" / "audio" / "audio_train0.csv", delimiter=",", quotechar='"')
    for row, (video, number) in zip(rows, [ids[i] for i in index], strict=True):
        np.testing.assert_array_equal(by_id[video].features["audio"][int(number) - 1], row[:-1].astype("f4"))
        assert by_id[video].labels[int(number) - 1] == row[-1]
    assert sum((dialogue.labels == 1).sum() for dialogue in corpus.dialogues) == 1176


def test_utterances_are_in_the_order_of_time_and_videos_in_the_order_of_the_file(folder: Path) -> None:
    corpus = mosi.read(folder)
    assert [(d.id, d.split) for d in corpus.dialogues] == [("w", "train"), ("v", "train"), ("z", "test")]
    v = corpus.dialogues[1]
    # v_1, v_2, v_10 are transcript rows 0, 2, 1
    for stream in ("audio", "visual", "text"):
        assert v.features[stream][:, -1].tolist() == [0, 2, 1]
    assert v.labels.tolist() == [0, 1, 1]
    assert v.speakers.tolist() == [0, 0, 0]
    assert v.utterances == ("v_1", "v_2", "v_10")
    (note,) = corpus.notes
    assert note.startswith("not the published files, by their git blob ids: transcripts.csv, text_train.csv, ")


def test_dev_is_the_first_tenth_of_the_training_videos(tmp_path: Path, folder: Path) -> None:
    n = 20
    write(folder / "transcripts.csv", [[f"v{i}_1", "A", "1", 0] for i in range(n + 1)])
    for part, rows in (("train", list(range(n))[::-1]), ("test", [n])):
        write(folder / f"text_{part}.csv", [[row, *[0.5] * 100] for row in rows])
        for name, columns in COLUMNS.items():
            write(folder / name / f"{name}_{part}0.csv", [[1.0] * columns + [0] for _ in rows])
    assert [d.id for d in mosi.read(folder).split("dev")] == ["v19", "v18"]


def cell(row: int, column: int, value: str) -> Callable[[list[list[str]]], Any]:
    return lambda rows: rows[row].__setitem__(column, value)


BAD: dict[str, tuple[type[ReplicateError], str, str, Callable[[list[list[str]]], Any]]] = {
    "label of a modality": (NotThisFormat, "video_train0.csv:3", "video/video_train0.csv", cell(2, -1, "0")),
    "label of a transcript": (NotThisFormat, "says 0 for v_2", "transcripts.csv", cell(2, 3, "0")),
    "label out of range": (OutOfRange, "audio_test0.csv:1: label '2'", "audio/audio_test0.csv", cell(0, -1, "2")),
    "label of no kind": (NotThisFormat, "transcripts.csv:1: 'yes'", "transcripts.csv", cell(0, 3, "yes")),
    "no number": (NotThisFormat, "audio_train0.csv:2: 'abc'", "audio/audio_train0.csv", cell(1, 5, "abc")),
    "not a number": (
        NonFinite,
        "dialogue v, stream audio, utterance 3 (v_10), column 6",
        "audio/audio_train0.csv",
        cell(1, 5, "nan"),
    ),
    "infinity": (NonFinite, "dialogue z, stream visual", "video/video_test0.csv", cell(0, 0, "-inf")),
    "too large for float32": (NonFinite, "dialogue z", "video/video_test0.csv", cell(0, 0, "1e300")),
    "column missing": (WrongWidth, "text_train0.csv:1: 100 columns", "text/text_train0.csv", lambda r: r[0].pop()),
    "column too many": (WrongWidth, "audio_test0.csv:2: 75", "audio/audio_test0.csv", lambda r: r[1].append("1")),
    "columns of the index": (WrongWidth, "text_test.csv:2", "text_test.csv", lambda r: r[1].pop()),
    "row missing": (LengthMismatch, "audio_train0.csv: 3 rows", "audio/audio_train0.csv", lambda r: r.pop()),
    "row too many": (
        LengthMismatch,
        "audio_train0.csv: 5 rows where text_train.csv has 4",
        "audio/audio_train0.csv",
        lambda rows: rows.append(rows[0]),
    ),
    "no such transcript": (NotThisFormat, "text_train.csv:1: '6'", "text_train.csv", cell(0, 0, "6")),
    "negative transcript": (NotThisFormat, "text_train.csv:1: '-1'", "text_train.csv", cell(0, 0, "-1")),
    "transcript used twice": (NotThisFormat, "text_train.csv:2", "text_train.csv", cell(1, 0, "3")),
    "transcript in two splits": (NotThisFormat, "text_test.csv:1", "text_test.csv", cell(0, 0, "3")),
    "video in two splits": (SplitOverlap, "dialogue v", "transcripts.csv", cell(4, 0, "v_3")),
    "id without a number": (NotThisFormat, "transcripts.csv:1", "transcripts.csv", cell(0, 0, "v_x")),
    "transcript truncated": (NotThisFormat, "transcripts.csv:11", "transcripts.csv", lambda rows: rows[-1].pop()),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named_with_their_row(case: str, folder: Path) -> None:
    error, words, file, change = BAD[case]
    edit(folder / file, change)
    assert_refused(lambda: mosi.read(folder), error, words, folder)


def test_a_file_truncated_in_the_middle_of_a_row(folder: Path) -> None:
    path = folder / "text" / "text_test0.csv"
    path.write_bytes(path.read_bytes()[:-100])
    words = r"text_test0\.csv cannot be read as CSV: in the row that begins in line 2, a double quote .* fetch it again"
    with pytest.raises(NotThisFormat, match=words):
        mosi.read(folder)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b'"a\x00b"\n', b"PK\x03\x04"])
def test_a_file_that_is_not_csv(content: bytes, folder: Path) -> None:
    (folder / "transcripts.csv").write_bytes(content)
    with pytest.raises(NotThisFormat, match=r"transcripts\.csv"):
        mosi.read(folder)


@pytest.mark.parametrize("file", ["transcripts.csv", "text_test.csv", "video/video_test0.csv"])
def test_a_missing_file_is_named_with_the_way_to_get_it(file: str, folder: Path) -> None:
    (folder / file).unlink()
    with pytest.raises(UnknownCorpus) as caught:
        mosi.read(folder)
    assert str(folder / file) in str(caught.value)
    assert "replicate data fetch mosi" in str(caught.value)


@pytest.mark.parametrize("stream", ["text", "visual"])
def test_features_of_listed_training_videos_know_their_labels(stream: str, shared_data: Path) -> None:
    """docs/results.md: a regression is nearly as right on dev, which it has not seen, as on train, and not on test."""
    corpus = mosi.read(shared_data / "mosi")
    x = {split: np.concatenate([each.features[stream] for each in corpus.split(split)]) for split in SPLITS}
    y = {split: np.concatenate([each.labels for each in corpus.split(split)]) for split in SPLITS}
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(x["train"], y["train"])
    right = {split: model.score(x[split], y[split]) for split in SPLITS}
    assert right["train"] - right["dev"] < 0.1 and right["dev"] - right["test"] > 0.2
