"""The types of a corpus: dialogues of utterances with feature streams, speakers, labels and a split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

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
from replicate.limits import shown

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
Control = Literal["", "positive", "negative"]
CONTROLS: tuple[Control, ...] = ("", "positive", "negative")


@dataclass(frozen=True)
class Dialogue:
    """One conversation: its utterances in order of time.

    Shapes:
        speakers: (n,) int64, index into ``Corpus.speakers``.
        labels: (n,) int64, index into ``Corpus.labels``.
        features: stream name -> (n, d) float32, as released, not standardised.

    Attributes:
        utterances: name of each utterance, unique in the dialogue; empty if the source has no names.
    """

    id: str
    speakers: NDArray[np.int64]
    labels: NDArray[np.int64]
    features: dict[str, NDArray[np.float32]]
    split: Split
    utterances: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.labels)


@dataclass(frozen=True)
class Corpus:
    """Dialogues that share labels, speakers and streams; checked when it is created.

    Attributes:
        name: name in tables.
        labels: class names, in the order of their numbers.
        dialogues: in the order of the source, which decides the dev split.
        speakers: speaker names, in the order of their numbers.
        standardise: whether training scales the features by mean and standard deviation of the training split.
        published: true only for COGMEN's release of IEMOCAP-4, recognised by the git blob id of its file, with or
            without additional streams: the paper's numbers were measured on it.
        control: what a generated corpus is a check of: ``positive`` where effects are built into it, ``negative`` where
            privileged streams carry nothing that audio lacks; empty for measured data.
        notes: sentences that are printed below every table on this corpus.
        recipes: stream -> settings of its extraction from recordings, JSON values only; see ``provenance``.

    Raises:
        BadName, EmptyDialogue, LengthMismatch, NonFinite, OutOfRange, SplitOverlap, WrongWidth: naming the dialogue.
    """

    name: str
    labels: tuple[str, ...]
    dialogues: tuple[Dialogue, ...]
    speakers: tuple[str, ...] = ("M", "F")
    standardise: bool = True
    published: bool = False
    control: Control = ""
    notes: tuple[str, ...] = field(default=())
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names("corpus", (self.name,), "a corpus file")
        _check_names("class", self.labels, f"corpus {self.name}")
        _check_names("speaker", self.speakers, f"corpus {self.name}")
        if self.control not in CONTROLS:
            raise OutOfRange(
                f"corpus {self.name}: control {shown(self.control)} is not positive, negative or empty (measured data)"
            )
        if not self.dialogues:
            raise EmptyDialogue(f"corpus {self.name} holds no dialogue: check the source it was read from")
        counts = Counter(dialogue.id for dialogue in self.dialogues)
        for id_, count in counts.items():
            if count > 1:
                splits = sorted({dialogue.split for dialogue in self.dialogues if dialogue.id == id_})
                raise SplitOverlap(
                    f"corpus {self.name}: dialogue {id_} is listed {count} times (in {', '.join(splits)}): "
                    "a dialogue belongs to one split, once"
                )
        _check_names("dialogue", tuple(counts), f"corpus {self.name}")
        widths = self.widths
        _check_names("stream", tuple(widths), f"corpus {self.name}")
        for dialogue in self.dialogues:
            _check_dialogue(dialogue, self, widths)

    def __repr__(self) -> str:
        utterances = sum(map(len, self.dialogues))
        sizes = f"{len(self.dialogues)} dialogues, {utterances} utterances, {len(self.labels)} classes"
        return f"Corpus({self.name}, {sizes}, streams {', '.join(self.widths)})"

    @property
    def widths(self) -> dict[str, int]:
        """Number of columns of each stream, in the order of the first dialogue."""
        return {name: array.shape[1] if array.ndim == 2 else -1 for name, array in self.dialogues[0].features.items()}

    def without(self, ids: Collection[str]) -> Corpus:
        """Return the corpus without the dialogues with these ids, or the same object if there are none."""
        kept = tuple(dialogue for dialogue in self.dialogues if dialogue.id not in ids)
        return self if len(kept) == len(self.dialogues) else replace(self, dialogues=kept)

    def split(self, name: Split) -> list[Dialogue]:
        """Return the dialogues of one split, in order."""
        return [dialogue for dialogue in self.dialogues if dialogue.split == name]

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of everything that decides numbers: order, splits, speakers, labels, features, scaling.

        Names of utterances, recipes, notes and what the corpus is a control of are left out.
        """
        digest = hashlib.sha256()
        for piece in _hashed_bytes(self):
            digest.update(len(piece).to_bytes(8, "little"))
            digest.update(piece)
        return digest.hexdigest()


def _hashed_bytes(corpus: Corpus) -> Iterator[bytes]:
    yield repr((corpus.labels, corpus.speakers, corpus.standardise)).encode()
    for dialogue in corpus.dialogues:
        yield repr((dialogue.id, dialogue.split)).encode()
        yield np.ascontiguousarray(dialogue.speakers, "<i8").tobytes()
        yield np.ascontiguousarray(dialogue.labels, "<i8").tobytes()
        for name in sorted(dialogue.features):
            array = dialogue.features[name]
            yield repr((name, array.shape)).encode()
            yield np.ascontiguousarray(array, "<f4").tobytes()


def _check_names(what: str, names: tuple[str, ...], where: str) -> None:
    """Refuse names that tables, paths or terminals cannot show."""
    for name in names:
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise BadName(f"{where}: {what} name {name[:40]!r} is empty, longer than 100 characters, or unprintable")
    if not names or len(set(names)) < len(names):
        raise BadName(f"{where}: {what} names are missing or repeated: {', '.join(names)[:100]}")


def _check_dialogue(dialogue: Dialogue, corpus: Corpus, widths: dict[str, int]) -> None:
    where = f"corpus {corpus.name}, dialogue {dialogue.id}"
    n = len(dialogue.labels)
    if n == 0:
        raise EmptyDialogue(f"{where} has no utterance: remove the dialogue or repair its source")
    if dialogue.split not in SPLITS:
        raise OutOfRange(f"{where}: split {shown(dialogue.split)} is none of {', '.join(SPLITS)}")
    for what, values, names in (
        ("speaker", dialogue.speakers, corpus.speakers),
        ("label", dialogue.labels, corpus.labels),
    ):
        if values.shape != (n,):
            raise LengthMismatch(f"{where}: {values.size} {what}s for {n} utterances")
        bad = np.flatnonzero((values < 0) | (values >= len(names)))
        if bad.size:
            raise OutOfRange(
                f"{where}, utterance {bad[0] + 1}: {what} {values[bad[0]]} is outside 0 to {len(names) - 1} "
                f"({', '.join(names)})"
            )
    if dialogue.utterances:
        if len(dialogue.utterances) != n:
            raise LengthMismatch(f"{where}: {len(dialogue.utterances)} utterance names for {n} utterances")
        _check_names("utterance", dialogue.utterances, where)
    if set(dialogue.features) != set(widths):
        raise LengthMismatch(
            f"{where} has streams {', '.join(sorted(dialogue.features))} where the first dialogue has "
            f"{', '.join(sorted(widths))}: every dialogue needs the same"
        )
    for name, array in dialogue.features.items():
        _check_stream(array, f"{where}, stream {name}", widths[name], dialogue, corpus.recipes.get(name, {}))


def _check_stream(
    array: NDArray[np.float32], where: str, width: int, dialogue: Dialogue, recipe: dict[str, Any]
) -> None:
    if array.ndim != 2:
        raise WrongWidth(f"{where}: shape {array.shape} is not (utterances, columns)")
    if array.shape[0] != len(dialogue):
        raise LengthMismatch(f"{where}: {array.shape[0]} rows for {len(dialogue)} utterances")
    if array.shape[1] != width or width == 0:
        raise WrongWidth(f"{where}: {array.shape[1]} columns where the first dialogue has {width}")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        row, column = bad[0].tolist()
        named = f" ({dialogue.utterances[row]})" if dialogue.utterances else ""
        columns = recipe.get("columns", ())
        what = f" ({columns[column]})" if len(columns) == width else ""
        raise NonFinite(
            f"{where}, utterance {row + 1}{named}, column {column + 1}{what}: {array[row, column]} is not a finite "
            "number; repair the extraction or drop the utterance"
        )


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Put ``path`` in front of the message of every error that is raised in the block."""
    try:
        yield
    except ReplicateError as error:
        raise type(error)(f"{path}: {error}") from error
