"""IEMOCAP features as COGMEN released them: a tuple of 9 raw fields, or preprocessed lists of Samples.

Source: github.com/Exploration-Lab/COGMEN, data/iemocap_4 and data/iemocap. The content decides which format it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from replicate.corpus import catalogue, pickled_objects, unpickle
from replicate.corpus.lists import label_numbers, matrix, speaker_numbers, utterance_names
from replicate.corpus.readers.base import NamedCorpus, Reader, register
from replicate.corpus.types import SPLITS, Corpus, Dialogue, Split, naming_file
from replicate.errors import LengthMismatch, NotThisFormat, SplitOverlap
from replicate.limits import Budget

LABELS = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
SPEAKERS = ("M", "F")
STREAMS = ("audio", "visual", "text")
RELEASE_DIALOGUES = 151

_TUPLE = ("utterance ids", "speaker", "label", "text", "audio", "visual", "sentence")
_SBERT = "sbert_sentence_embeddings"
# Bytes that numbers and name of an utterance take, without its features.
_UTTERANCE = 128
_SOURCE = "features of Joshi et al., COGMEN, NAACL 2022"
_LICENCE = (
    "IEMOCAP is licensed by the University of Southern California: request access at "
    "https://sail.usc.edu/iemocap and do not pass its features on."
)
_NAMES = tuple(file.local for file in (*catalogue.IEMOCAP4, *catalogue.IEMOCAP6))


@register("cogmen")
class CogmenReader(Reader):
    """Pickles of the release; each of the two formats contains the whole corpus."""

    format = "a .pkl of the COGMEN release, or a folder with one"
    priority = -2
    corpora: ClassVar = {
        "iemocap4": NamedCorpus(
            "IEMOCAP, the paper's corpus: 151 dialogues, 4,543 utterances (COGMEN's selection), 4 classes",
            _LICENCE,
            _SOURCE,
            catalogue.IEMOCAP4,
            any_file=True,
            on_request=True,
            language="en",
            dataset="IEMOCAP",
        ),
        "iemocap6": NamedCorpus(
            "IEMOCAP with six classes: 151 dialogues, 7,433 utterances (COGMEN's selection)",
            _LICENCE,
            _SOURCE,
            catalogue.IEMOCAP6,
            any_file=True,
            on_request=True,
            language="en",
            dataset="IEMOCAP",
        ),
    }

    def accepts(self, path: Path) -> bool:
        """Recognise a file by its suffix, and a folder by the published names of files."""
        return path.suffix == ".pkl" if path.is_file() else any((path / name).is_file() for name in _NAMES)

    def read(self, path: Path) -> Corpus:
        """Return the corpus in a file or folder, see the function ``read``."""
        return read(path if path.is_file() else next(p for name in _NAMES if (p := path / name).is_file()))

    def load(self, name: str, folder: Path) -> Corpus:
        """Return the corpus with 4 or with 6 classes from a folder that may contain both."""
        return read(next(p for file in self.corpora[name].files if (p := folder / file.local).is_file()), name)


@dataclass(frozen=True)
class _Raw:
    """One dialogue as released: field name -> one entry per utterance."""

    id: str
    split: Split
    fields: dict[str, Any]


def read(path: Path, name: str | None = None) -> Corpus:
    """Read a pickle of the COGMEN release; dev is the first 10 % of the training list.

    Streams are audio, visual, text, and sbert if the file has sentence embeddings; features are as released.
    ``published`` is true only for the published files with 4 classes, which their git blob ids tell.

    Raises:
        NotThisFormat, UnsafePickle: the file is in neither of the two formats.
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
            f"{path} contains neither the 9 fields of IEMOCAP_features*.pkl nor train, dev and test of "
            "data_iemocap*.pkl: use a file of the COGMEN release"
        )
    _refuse_repeated(raw, path)
    allowed = unpickle.budget(path)
    dialogues = tuple(_dialogue(one, path, allowed) for one in raw)
    classes = _classes(path, dialogues)
    whole, note = _release(path, classes)
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
    fields = dict(zip(_TUPLE, content[:7], strict=True))
    for field, values in fields.items():
        if not isinstance(values, dict):
            raise NotThisFormat(
                f"{path}: its field '{field}' is a {type(values).__name__}, not a dictionary of dialogues: "
                "use a file of the COGMEN release"
            )
    train, test = (_ids(content[7 + i], what, path, notes) for i, what in enumerate(("training", "test")))
    dev = int(0.1 * len(train))
    splits: list[tuple[str, Split]] = [(id_, "dev" if i < dev else "train") for i, id_ in enumerate(train)]
    splits += [(id_, "test") for id_ in test]
    for id_, split in splits:
        missing = [field for field, values in fields.items() if id_ not in values]
        if missing:
            listed = "test" if split == "test" else "training"
            raise NotThisFormat(
                f"{path}, dialogue {id_[:100]}: in the {listed} list, but without {', '.join(missing)}: fetch the file "
                "again"
            )
        yield _Raw(id_, split, {field: values[id_] for field, values in fields.items()})
    unlisted = sorted(map(str, set(fields["label"]) - {id_ for id_, _ in splits}))
    if unlisted:
        notes.append(
            f"dialogues in neither split list, left out: {', '.join(id_[:100] for id_ in unlisted[:20])}"
            f"{', ...' if len(unlisted) > 20 else ''}"
        )


def _ids(value: Any, what: str, path: Path, notes: list[str]) -> list[str]:
    if isinstance(value, (set, frozenset)) and all(isinstance(id_, str) for id_ in value):
        notes.append(f"the {what} list has no order in the file: it is sorted by name, which decides the dev split")
        return sorted(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(id_, str) for id_ in value):
        raise NotThisFormat(f"{path}: its {what} list is not a list of dialogue names: fetch the file again")
    return list(value)


def _from_samples(content: dict[str, Any], path: Path) -> Iterator[_Raw]:
    # COGMEN took dev from the front of the training list; dev first gives the order of the raw format.
    order: tuple[Split, ...] = ("dev", "train", "test")
    for split in order:
        if not isinstance(content[split], (list, tuple)):
            raise NotThisFormat(f"{path}: its field '{split}' is not a list of Samples: fetch the file again")
        for i, sample in enumerate(content[split], 1):
            if not isinstance(sample, pickled_objects.Sample):
                raise NotThisFormat(f"{path}: entry {i} of '{split}' is not a Sample: fetch the file again")
            fields = dict(sample.fields)
            id_ = fields.pop("vid", None)
            if not isinstance(id_, str):
                raise NotThisFormat(f"{path}: entry {i} of '{split}' has no name 'vid': fetch the file again")
            missing = [field for field in ("speaker", "label", *STREAMS) if field not in fields]
            if missing:
                raise NotThisFormat(f"{path}, dialogue {id_[:100]}: no {', '.join(missing)}: fetch the file again")
            yield _Raw(id_, split, fields)


def _refuse_repeated(raw: Sequence[_Raw], path: Path) -> None:
    """Refuse a dialogue that is listed twice, before its features are copied for each time that it is listed."""
    id_, count = Counter(one.id for one in raw).most_common(1)[0] if raw else ("", 0)
    if count > 1:
        splits = sorted({one.split for one in raw if one.id == id_})
        raise SplitOverlap(
            f"{path}: dialogue {id_[:100]} is listed {count} times (in {', '.join(splits)}): a dialogue belongs "
            "to one split, once"
        )


def _dialogue(raw: _Raw, path: Path, budget: Budget) -> Dialogue:
    where = f"{path}, dialogue {raw.id[:100]}"
    fields = {field: raw.fields[field] for field in (*_TUPLE, _SBERT) if raw.fields.get(field) is not None}
    for field, values in fields.items():
        if not isinstance(values, (list, tuple)) and not (isinstance(values, np.ndarray) and values.ndim):
            raise NotThisFormat(f"{where}: {field} is not a list with one entry per utterance")
    missing = {"speaker", "label", *STREAMS} - set(fields)
    if missing:
        raise NotThisFormat(f"{where}: no {', '.join(sorted(missing))}: fetch the file again")
    n = len(fields["label"])
    for field, values in fields.items():
        if len(values) != n:
            raise LengthMismatch(f"{where}: {len(values)} entries of {field} for {n} labels")
    budget.take(_UTTERANCE * n)  # also where several dialogues use one list
    streams = {stream: matrix(fields[stream], f"{where}, stream {stream}", budget) for stream in STREAMS}
    if _SBERT in fields:
        streams["sbert"] = matrix(fields[_SBERT], f"{where}, stream sbert", budget)
    speakers = speaker_numbers(fields["speaker"], SPEAKERS, where)
    labels = label_numbers(fields["label"], len(LABELS), where)
    return Dialogue(raw.id, speakers, labels, streams, raw.split, utterance_names(fields.get("utterance ids", ())))


def _classes(path: Path, dialogues: tuple[Dialogue, ...]) -> int:
    """Return 4 or 6, by the name of the published file, or for other files by the largest label."""
    if path.stem in ("IEMOCAP_features_4", "data_iemocap_4"):
        return 4
    if path.stem in ("IEMOCAP_features", "data_iemocap"):
        return 6
    return 6 if any((dialogue.labels > 3).any() for dialogue in dialogues) else 4


def _release(path: Path, classes: int) -> tuple[bool, str]:
    """Return whether a file is a published one with 4 classes, and if not, a note that says so."""
    if classes == 6:
        return False, "IEMOCAP with six classes: the paper's numbers are for four"
    if catalogue.is_one_of(path, catalogue.IEMOCAP4):
        return True, ""
    return False, f"{path.name} is not one of the published files, by its git blob id"
