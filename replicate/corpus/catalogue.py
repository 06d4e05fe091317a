"""Pinned downloads: where each published feature file is, and the git blob id that says that a file is that one.

A file is the release because its blob id says so; counts of dialogues or classes describe it, and are no test.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from replicate.corpus.types import Corpus
from replicate.files import from_os_error


@dataclass(frozen=True)
class PublishedFile:
    """One file as published on GitHub.

    Attributes:
        repository: ``owner/name/commit``.
        path: path in the repository.
        local: path below the corpus's folder, where the reader expects it.
        blob: git blob id, SHA-1 of ``b"blob <size>\\0"`` and the content.
    """

    repository: str
    path: str
    local: str
    blob: str


def published(repository: str, folder: str, blobs: Mapping[str, str]) -> tuple[PublishedFile, ...]:
    """Return entries for files in one folder of a repository, from their paths below it and their git blob ids."""
    return tuple(PublishedFile(repository, f"{folder}/{local}", local, blob) for local, blob in blobs.items())


_CLASSES = {"happy", "sad", "neutral", "angry"}
# Such as Ses01F_impro01, Ses03M_impro05a, Ses05F_script01_2.
_DIALOGUE = re.compile(r"Ses0[1-5][FM]_(impro|script)\d\d[a-z]?(_\d[a-z]?)?")
_COGMEN = "Exploration-Lab/COGMEN/8c00c9bfec349f833293032da268a3c0a2f3e637"
# Raw features before preprocessed ones: they are what the paper's code starts from.
IEMOCAP4 = published(
    _COGMEN,
    "data/iemocap_4",
    {
        "IEMOCAP_features_4.pkl": "9c9bef7c5a1cc024610f09d90047c4d94b1756ab",
        "data_iemocap_4.pkl": "3d1b93d4e59c7f607545a6b400f06955062ea46d",
    },
)
IEMOCAP6 = published(
    _COGMEN,
    "data/iemocap",
    {
        "IEMOCAP_features.pkl": "48a47d73b4b10c805ac7819fd9bcc61444119c65",
        "data_iemocap.pkl": "024bba8fd61a2a660789e418326371d12e99a3b9",
    },
)
MOSI = published(
    "declare-lab/contextual-utterance-level-multimodal-sentiment-analysis/3874cf25a7fbda75df27ee65b297afa781d7f32c",
    "data",
    {
        "transcripts.csv": "2cba61298a49ebb6d7f0bce42d37bef4a20d51c5",
        "text_train.csv": "7420d5b826970d9ca1c82da4233fee591b8fb1f8",
        "text_test.csv": "875c819d2df9709cdf1ab048d4db1efa1ae41fca",
        "audio/audio_train0.csv": "f966e0ff77fc165c5c705fe09c2f283aab0572b3",
        "audio/audio_test0.csv": "41b7cca24f1f9ad573a597c36b693324ea47c76b",
        "video/video_train0.csv": "6d62f4ba0ab022c6051419a2ffcb69b674d87463",
        "video/video_test0.csv": "111ef545bcd364bb26564a9d0bf19caaf53eb5c4",
        "text/text_train0.csv": "c2222f00be2bb0099af9fd1f1d1c8b98d1bedcad",
        "text/text_test0.csv": "64fbf16fcc2daee1eb495ca617935b5c2b3916a1",
    },
)
# eGeMAPS and action units of the same clips, extracted by two groups.
RAVDESS = (
    PublishedFile(
        "Hein-HtetSan/depression-analysis-model/39a20d6d6ae11f6137d1dc2e0f684ffc9c3ec5c1",
        "ravdess_features.csv",
        "ravdess_features.csv",
        "ded9cdd6e4611f3c0244be0dc22d0832a73303d2",
    ),
    PublishedFile(
        "cristinalunaj/MMEmotionRecognition/aeb78449206ec2742d2cd886052322295c6c1321",
        "data/trainingData/avg_MLP80_AUs/data_AUs_avg/df_average_AUs_total.csv",
        "df_average_AUs_total.csv",
        "6ad34edee3acdc6fa0efc39a76f917c2922f11d1",
    ),
)


def git_blob_id(path: Path) -> str:
    """Return git's id of a file's content: SHA-1 of ``b"blob <size>\\0"`` and the bytes.

    Raises:
        CannotWrite: the file cannot be read.
    """
    try:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        raise from_os_error(error, path) from error
    return digest.hexdigest()


def is_iemocap4(corpus: Corpus) -> bool:
    """Return whether a corpus is of IEMOCAP's dialogues and the paper's four classes, with any features and selection.

    The paper's numbers may be shown next to its scores; verdicts on them are for ``Corpus.published`` alone.
    """
    return set(corpus.labels) == _CLASSES and all(_DIALOGUE.fullmatch(one.id) for one in corpus.dialogues)


def unpublished(folder: Path, files: tuple[PublishedFile, ...]) -> tuple[str, ...]:
    """Return a note on the files of a folder that are not the published ones, or none if all are."""
    other = [file.local for file in files if git_blob_id(folder / file.local) != file.blob]
    return (f"not the published files, by their git blob ids: {', '.join(other)}",) if other else ()


def is_one_of(path: Path, files: tuple[PublishedFile, ...]) -> bool:
    """Return whether a file on this machine is one of the published files, whatever its name."""
    return git_blob_id(path) in {file.blob for file in files}
