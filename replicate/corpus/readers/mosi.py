"""CMU-MOSI utterance features: 93 opinion videos of one speaker each, published with Poria et al., ACL 2017.

Source: github.com/declare-lab/contextual-utterance-level-multimodal-sentiment-analysis, folder data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from replicate.corpus import catalogue
from replicate.corpus.csv_rows import number, rows
from replicate.corpus.lists import utterance_names
from replicate.corpus.readers.base import NamedCorpus, Reader, register
from replicate.corpus.types import Corpus, Dialogue, Split, naming_file
from replicate.errors import LengthMismatch, NotThisFormat, OutOfRange, WrongWidth

LABELS = ("negative", "positive")
# stream -> (name in the files, columns)
STREAMS = {"audio": ("audio", 73), "visual": ("video", 100), "text": ("text", 100)}


@register("mosi")
class MosiReader(Reader):
    """The published CSV files in one folder."""

    format = "a folder with transcripts.csv of CMU-MOSI"
    priority = -1
    corpora: ClassVar = {
        "mosi": NamedCorpus(
            "CMU-MOSI: 93 videos, 2,199 utterances, 2 classes",
            "CMU-MOSI is for research, under the licence of its authors at Carnegie Mellon University.",
            "features of Poria et al., Context-Dependent Sentiment Analysis in User-Generated Videos, ACL 2017",
            catalogue.MOSI,
            language="en",
            dataset="CMU-MOSI",
        )
    }

    def accepts(self, path: Path) -> bool:
        """Recognise the folder by the transcripts."""
        return (path / "transcripts.csv").is_file()

    def read(self, path: Path) -> Corpus:
        """Return the corpus in a folder, see the function ``read``."""
        return read(path)


@dataclass
class _Video:
    """Utterances of one video: number in the video, label, and row in the split's feature files."""

    numbers: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


def read(folder: Path) -> Corpus:
    """Read the published CSV files in a folder; dev is the first 10 % of the training videos.

    Videos are in the order in which they first appear in ``text_train.csv`` and ``text_test.csv``, utterances
    in the order of their numbers. Streams: audio (n, 73), visual (n, 100), text (n, 100).

    Raises:
        UnknownCorpus: a file is missing.
        NotThisFormat, LengthMismatch, WrongWidth, OutOfRange: naming file and row.
        NonFinite, SplitOverlap: naming folder and video.
    """
    transcripts = _transcripts(folder / "transcripts.csv")
    dialogues: list[Dialogue] = []
    used: dict[int, str] = {}
    for listed in ("train", "test"):
        videos = _videos(folder / f"text_{listed}.csv", transcripts, used)
        features = _features(folder, listed, videos)
        # Poria et al. have no dev split; this is COGMEN's rule, applied to their training videos.
        dev = int(0.1 * len(videos)) if listed == "train" else 0
        for i, (id_, video) in enumerate(videos.items()):
            split: Split = "test" if listed == "test" else "dev" if i < dev else "train"
            dialogues.append(_dialogue(id_, video, features, split))
    with naming_file(folder):
        return Corpus(
            "mosi",
            LABELS,
            tuple(dialogues),
            ("speaker",),
            standardise=True,
            notes=catalogue.unpublished(folder, catalogue.MOSI),
        )


def _transcripts(path: Path) -> list[tuple[str, int, int]]:
    """Return (video, number in the video, label) of every row of ``transcripts.csv``."""
    found = []
    for where, row in rows(path, "mosi"):
        video, _, number = row[0].rpartition("_")
        if len(row) != 4 or not video or not _is_index(number):
            raise NotThisFormat(f"{where}: not '<video>_<number>', text, a number and a label: fetch it again")
        found.append((video, int(number), _label(row[3], where)))
    return found


def _is_index(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def _label(text: str, where: str) -> int:
    value = number(text, where)
    if value not in (0, 1):
        raise OutOfRange(f"{where}: label {text[:20]!r} is neither 0 (negative) nor 1 (positive)")
    return int(value)


def _videos(path: Path, transcripts: list[tuple[str, int, int]], used: dict[int, str]) -> dict[str, _Video]:
    """Return the utterances of one split by video; column 0 of row k is the transcript of feature row k."""
    videos: dict[str, _Video] = {}
    for k, (where, row) in enumerate(rows(path, "mosi")):
        if len(row) != STREAMS["text"][1] + 1:
            raise WrongWidth(f"{where}: {len(row)} columns instead of a transcript row and 100 features")
        index = int(row[0]) if _is_index(row[0]) else -1
        if not 0 <= index < len(transcripts):
            raise NotThisFormat(f"{where}: {row[0][:20]!r} is not one of {len(transcripts)} rows of transcripts.csv")
        if index in used:
            raise NotThisFormat(f"{where}: transcript row {index} was used before, in {used[index]}")
        used[index] = where
        id_, number, label = transcripts[index]
        video = videos.setdefault(id_, _Video())
        video.numbers.append(number)
        video.labels.append(label)
        video.rows.append(k)
    return videos


def _features(folder: Path, listed: str, videos: dict[str, _Video]) -> dict[str, NDArray[np.float32]]:
    """Return stream -> (rows, columns) of one split; labels must be the same as in the transcripts."""
    labels = {
        row: (label, f"{id_}_{position}")
        for id_, video in videos.items()
        for row, label, position in zip(video.rows, video.labels, video.numbers, strict=True)
    }
    streams = {}
    for stream, (file, columns) in STREAMS.items():
        path = folder / file / f"{file}_{listed}0.csv"
        values = []
        for k, (where, row) in enumerate(rows(path, "mosi")):
            if len(row) != columns + 1:
                raise WrongWidth(f"{where}: {len(row)} columns instead of {columns} features and a label")
            label, id_ = labels.get(k, (None, ""))
            if label is not None and _label(row[-1], where) != label:
                raise NotThisFormat(
                    f"{where}: label {row[-1]} where transcripts.csv says {label} for {id_}: the files "
                    "are from different releases, fetch them again"
                )
            values.append([number(text, where) for text in row[:-1]])
        if len(values) != len(labels):
            raise LengthMismatch(f"{path}: {len(values)} rows where text_{listed}.csv has {len(labels)}")
        with np.errstate(over="ignore"):  # becomes an infinity, which Corpus refuses
            streams[stream] = np.array(values, np.float64).reshape(-1, columns).astype(np.float32)
    return streams


def _dialogue(id_: str, video: _Video, features: dict[str, NDArray[np.float32]], split: Split) -> Dialogue:
    order = np.argsort(video.numbers, kind="stable")
    rows = np.array(video.rows)[order]
    return Dialogue(
        id_,
        np.zeros(len(rows), np.int64),
        np.array(video.labels, np.int64)[order],
        {stream: array[rows] for stream, array in features.items()},
        split,
        utterance_names([f"{id_}_{video.numbers[i]}" for i in order]),
    )
