"""IEMOCAP features as COGMEN released them: the raw 9-tuple and the preprocessed lists of Samples.

Source: github.com/Exploration-Lab/COGMEN, data/iemocap_4 and data/iemocap. The format is told by the content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from replicate.corpus import unpickle
from replicate.corpus.readers.base import NamedCorpus, Reader, published, register
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split, naming_file
from replicate.errors import LengthMismatch, NotThisFormat, OutOfRange, WrongWidth

LABELS = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
SPEAKERS = ("M", "F")
STREAMS = ("audio", "visual", "text")
# The full four-class release: dialogues, utterances per class, columns per stream.
RELEASE_DIALOGUES = 151
RELEASE_CLASSES = (595, 1084, 1708, 1103)
RELEASE_WIDTHS = {"audio": 100, "visual": 512, "text": 100}

_TUPLE = ("utterance ids", "speaker", "label", "text", "audio", "visual", "sentence")
_SBERT = "sbert_sentence_embeddings"
_SOURCE = "features of Joshi et al., COGMEN, NAACL 2022"
_LICENCE = (
    "IEMOCAP is licensed by the University of Southern California: request access at "
    "https://sail.usc.edu/iemocap and do not pass its features on."
)
_REPOSITORY = "Exploration-Lab/COGMEN/8c00c9bfec349f833293032da268a3c0a2f3e637"
# Raw features before preprocessed ones: they are what the paper's code starts from.
_FOUR = {
    "IEMOCAP_features_4.pkl": "9c9bef7c5a1cc024610f09d90047c4d94b1756ab",
    "data_iemocap_4.pkl": "3d1b93d4e59c7f607545a6b400f06955062ea46d",
}
_SIX = {
    "IEMOCAP_features.pkl": "48a47d73b4b10c805ac7819fd9bcc61444119c65",
    "data_iemocap.pkl": "024bba8fd61a2a660789e418326371d12e99a3b9",
}


@register("cogmen")
class CogmenReader(Reader):
    """One pickle of the release; each of the two formats alone is the whole corpus."""

    format = "a .pkl of the COGMEN release, or a folder with one"
    priority = -2
    corpora: ClassVar = {
        "iemocap4": NamedCorpus(
            "IEMOCAP, the paper's corpus: 151 dialogues, 4,490 utterances, 4 classes",
            _LICENCE,
            _SOURCE,
            _REPOSITORY,
            published("data/iemocap_4", _FOUR),
            any_file=True,
            on_request=True,
        ),
        "iemocap6": NamedCorpus(
            "IEMOCAP with six classes",
            _LICENCE,
            _SOURCE,
            _REPOSITORY,
            published("data/iemocap", _SIX),
            any_file=True,
            on_request=True,
        ),
    }

    def accepts(self, path: Path) -> bool:
        """Recognise a file by its suffix, and a folder by the published names of files."""
        return path.suffix == ".pkl" if path.is_file() else any((path / name).is_file() for name in (*_FOUR, *_SIX))

    def read(self, path: Path) -> Corpus:
        """Return the corpus in a file or folder, see the function ``read``."""
        return read(path if path.is_file() else next(p for name in (*_FOUR, *_SIX) if (p := path / name).is_file()))

    def load(self, name: str, folder: Path) -> Corpus:
        """Return the corpus with four or with six classes from a folder that may hold both."""
        return read(next(p for file in self.corpora[name].files if (p := folder / file.local).is_file()), name)


@dataclass(frozen=True)
class _Raw:
    """One dialogue as released: field name -> one entry per utterance."""

    id: str
    split: Split
    fields: dict[str, Any]


def read(path: Path, name: str | None = None) -> Corpus:
    """The corpus in a pickle of the COGMEN release; dev is the first 10 % of the training list.

    Streams audio, visual, text, and sbert where the file has sentence embeddings; features as released.
    ``published`` is true only for the full four-class release.

    Raises:
        NotThisFormat, UnsafePickle: the file is none of the two formats.
        EmptyDialogue, LengthMismatch, NonFinite, OutOfRange, SplitOverlap, WrongWidth: naming file and
            dialogue.
    """
    content = unpickle.load(path)
    notes: list[str] = []
    if isinstance(content, (tuple, list)) and len(content) == 9:
        raw = list(_from_tuple(content, path, notes))
    elif isinstance(content, dict) and set(content) == set(SPLITS):
        raw = list(_from_samples(content, path))
    else:
        raise NotThisFormat(
            f"{path} holds neither the nine parts of IEMOCAP_features*.pkl nor train, dev and test of "
            "data_iemocap*.pkl: point to a file of the COGMEN release"
        )
    dialogues = tuple(_dialogue(one, path) for one in raw)
    classes = _classes(path, dialogues)
    whole, note = _release(dialogues, classes)
    if note:
        notes.append(note)
    with naming_file(path):
        return Corpus(
            name or f"iemocap{classes}",
            LABELS[:classes],
            dialogues,
            SPEAKERS,
            standardise=False,
            published=whole,
            notes=tuple(notes),
        )


def _from_tuple(content: Any, path: Path, notes: list[str]) -> Iterator[_Raw]:
    parts = dict(zip(_TUPLE, content[:7], strict=True))
    for field, part in parts.items():
        if not isinstance(part, dict):
            raise NotThisFormat(
                f"{path}: its part '{field}' is a {type(part).__name__}, not a dictionary of dialogues: "
                "point to a file of the COGMEN release"
            )
    train, test = (_ids(content[7 + i], what, path, notes) for i, what in enumerate(("training", "test")))
    dev = int(0.1 * len(train))
    splits: list[tuple[str, Split]] = [(id_, "dev" if i < dev else "train") for i, id_ in enumerate(train)]
    splits += [(id_, "test") for id_ in test]
    for id_, split in splits:
        missing = [field for field, part in parts.items() if id_ not in part]
        if missing:
            listed = "test" if split == "test" else "training"
            raise NotThisFormat(
                f"{path}, dialogue {id_}: in the {listed} list, but without {', '.join(missing)}: fetch the file again"
            )
        yield _Raw(id_, split, {field: part[id_] for field, part in parts.items()})
    left = sorted(map(str, set(parts["label"]) - {id_ for id_, _ in splits}))
    if left:
        notes.append(f"left out, being in neither split list: {', '.join(left)}")


def _ids(value: Any, what: str, path: Path, notes: list[str]) -> list[str]:
    if isinstance(value, (set, frozenset)) and all(isinstance(id_, str) for id_ in value):
        notes.append(f"the {what} list has no order in the file: sorted by name, which decides the dev split")
        return sorted(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(id_, str) for id_ in value):
        raise NotThisFormat(f"{path}: its {what} list is no list of dialogue names: fetch the file again")
    return list(value)


def _from_samples(content: dict[str, Any], path: Path) -> Iterator[_Raw]:
    # dev was cut from the front of the training list; put it back there, so that both formats agree.
    order: tuple[Split, ...] = ("dev", "train", "test")
    for split in order:
        if not isinstance(content[split], (list, tuple)):
            raise NotThisFormat(f"{path}: its part '{split}' is no list of Samples: fetch the file again")
        for i, sample in enumerate(content[split]):
            if not isinstance(sample, unpickle.Sample):
                raise NotThisFormat(f"{path}: entry {i} of '{split}' is no Sample: fetch the file again")
            fields = dict(sample.fields)
            id_ = fields.pop("vid", None)
            if not isinstance(id_, str):
                raise NotThisFormat(f"{path}: entry {i} of '{split}' has no name 'vid': fetch the file again")
            missing = [field for field in ("speaker", "label", *STREAMS) if field not in fields]
            if missing:
                raise NotThisFormat(f"{path}, dialogue {id_}: no {', '.join(missing)}: fetch the file again")
            yield _Raw(id_, split, fields)


def _dialogue(raw: _Raw, path: Path) -> Dialogue:
    where = f"{path}, dialogue {raw.id}"
    fields = {field: raw.fields[field] for field in (*_TUPLE, _SBERT) if raw.fields.get(field) is not None}
    for field, values in fields.items():
        if not isinstance(values, (list, tuple)) and not (isinstance(values, np.ndarray) and values.ndim):
            raise NotThisFormat(f"{where}: {field} is no list with one entry per utterance")
    missing = {"speaker", "label", *STREAMS} - set(fields)
    if missing:
        raise NotThisFormat(f"{where}: no {', '.join(sorted(missing))}: fetch the file again")
    n = len(fields["label"])
    for field, values in fields.items():
        if len(values) != n:
            raise LengthMismatch(f"{where}: {len(values)} entries of {field} for {n} labels")
    streams = {stream: _matrix(fields[stream], f"{where}, stream {stream}") for stream in STREAMS}
    if _SBERT in fields:
        streams["sbert"] = _matrix(fields[_SBERT], f"{where}, stream sbert")
    speakers, labels = _speakers(fields["speaker"], where), _labels(fields["label"], where)
    return Dialogue(raw.id, speakers, labels, streams, raw.split, _utterances(fields.get("utterance ids", ())))


def _utterances(names: Any) -> tuple[str, ...]:
    """The names of a dialogue's utterances; none where the file has no proper ones, which only merging needs."""
    proper = all(isinstance(x, str) and x.strip() and len(x) <= 100 and x.isprintable() for x in names)
    return tuple(map(str, names)) if proper and len(set(names)) == len(names) else ()


def _speakers(letters: Any, where: str) -> NDArray[np.int64]:
    for i, letter in enumerate(letters):
        if not isinstance(letter, str) or letter not in SPEAKERS:
            raise OutOfRange(f"{where}, utterance {i}: speaker {str(letter)[:20]!r} is neither M nor F")
    return np.array([SPEAKERS.index(letter) for letter in letters], np.int64)


def _labels(labels: Any, where: str) -> NDArray[np.int64]:
    for i, label in enumerate(labels):
        if isinstance(label, (bool, np.bool_)) or not isinstance(label, (int, np.integer)):
            raise NotThisFormat(f"{where}, utterance {i}: label {str(label)[:20]!r} is no class number")
        if not 0 <= label < len(LABELS):
            raise OutOfRange(f"{where}, utterance {i}: label {label} is outside 0 to {len(LABELS) - 1}")
    return np.array([int(label) for label in labels], np.int64)


def _matrix(rows: Any, where: str) -> NDArray[np.float32]:
    """(n, d) float32 from n vectors; (0, 1) from none, for the corpus to complain about."""
    vectors: list[NDArray[Any]] = []
    for i, row in enumerate(rows):
        try:
            vector = np.asarray(row)
        except ValueError:  # ragged
            vector = np.empty((), object)
        if vector.ndim != 1 or vector.dtype.kind not in "fiu":
            raise NotThisFormat(f"{where}, utterance {i}: no vector of numbers")
        if vectors and len(vector) != len(vectors[0]):
            raise WrongWidth(f"{where}, utterance {i}: {len(vector)} columns after {len(vectors[0])}")
        vectors.append(vector)
    if not vectors:
        return np.empty((0, 1), np.float32)
    with np.errstate(over="ignore"):  # becomes an infinity, which the corpus reports
        return np.stack(vectors).astype(np.float32)


def _classes(path: Path, dialogues: tuple[Dialogue, ...]) -> int:
    """Four or six: by the released file name, otherwise by the largest label."""
    if path.stem in ("IEMOCAP_features_4", "data_iemocap_4"):
        return 4
    if path.stem in ("IEMOCAP_features", "data_iemocap"):
        return 6
    return 6 if any((dialogue.labels > 3).any() for dialogue in dialogues) else 4


def _release(dialogues: tuple[Dialogue, ...], classes: int) -> tuple[bool, str]:
    """Whether this is the full four-class release, and if not, what to say about it."""
    if classes == 6:
        return False, "IEMOCAP with six classes: the paper's numbers stand for four"
    counts = Counter(int(label) for dialogue in dialogues for label in dialogue.labels)
    found = tuple(counts[i] for i in range(classes))
    total, released = sum(counts.values()), sum(RELEASE_CLASSES)
    if (len(dialogues), total) != (RELEASE_DIALOGUES, released):
        return False, (
            f"not the full IEMOCAP-4 release: {len(dialogues)} dialogues, {total:,} utterances instead of "
            f"{RELEASE_DIALOGUES} and {released:,}"
        )
    if found != RELEASE_CLASSES:
        return False, f"not the IEMOCAP-4 release: class counts {found} instead of {RELEASE_CLASSES}"
    widths = {stream: dialogues[0].features[stream].shape[1] for stream in STREAMS}
    if widths != RELEASE_WIDTHS:
        return (
            False,
            f"not the features of the IEMOCAP-4 release: columns {widths} instead of {RELEASE_WIDTHS}",
        )
    return True, ""
