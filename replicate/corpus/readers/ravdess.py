"""RAVDESS: acted speech of 24 actors, with published eGeMAPS functionals and OpenFace action units of the same clips.

Source: Livingstone and Russo 2018; features from two repositories, see ``catalogue.RAVDESS``. A clip is called
``modality-channel-emotion-intensity-statement-repetition-actor``, such as 03-01-05-02-01-01-12; its last five numbers
are the key by which audio and visual features are joined. Not in the paper.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from replicate.corpus import catalogue
from replicate.corpus.csv_rows import number, rows
from replicate.corpus.readers.base import NamedCorpus, Reader, register
from replicate.corpus.types import Corpus, Dialogue, Split, naming_file
from replicate.errors import NoMatch, NotThisFormat, WrongWidth

AUDIO, VISUAL = (file.local for file in catalogue.RAVDESS)
WIDTHS = {"audio": 88, "visual": 35}
# Codes of emotions, the third number of a clip's name.
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
FOUR = ("neutral", "happy", "sad", "angry")
# There are no conversations in RAVDESS: a dialogue is so many clips of one actor, in an order drawn with this seed.
CLIPS, ORDER_SEED = 14, 0
LAST_TRAIN, LAST_DEV = 14, 18  # numbers of actors
_CLIP = re.compile(r"\d\d-01-(0[1-8])-0[12]-0[12]-0[12]-(\d\d)")
_SOURCE = "recordings and labels of Livingstone and Russo, The Ryerson Audio-Visual Database, PLOS ONE 2018"
_WEIGHTS = "cc-by-nc-sa-4.0"
_LICENCE = "RAVDESS is under CC BY-NC-SA 4.0: not for commercial use; name Livingstone and Russo 2018."


@register("ravdess")
class RavdessReader(Reader):
    """The two published CSV files in one folder."""

    format = f"a folder with {AUDIO} and {VISUAL} of RAVDESS"
    priority = -1
    corpora: ClassVar = {
        "ravdess4": NamedCorpus(
            "RAVDESS: acted speech of 24 actors, 672 utterances, 4 classes, audio and action units",
            _LICENCE,
            _SOURCE,
            catalogue.RAVDESS,
            language="en",
            dataset="RAVDESS",
            weights=_WEIGHTS,
        ),
        "ravdess8": NamedCorpus(
            "RAVDESS with all 8 classes: 1,440 utterances",
            _LICENCE,
            _SOURCE,
            catalogue.RAVDESS,
            language="en",
            dataset="RAVDESS",
            weights=_WEIGHTS,
        ),
    }

    def accepts(self, path: Path) -> bool:
        """Recognise the folder by the two files."""
        return (path / AUDIO).is_file() and (path / VISUAL).is_file()

    def read(self, path: Path) -> Corpus:
        """Return the corpus with 8 classes."""
        return read(path, tuple(EMOTIONS.values()))

    def load(self, name: str, folder: Path) -> Corpus:
        """Return the corpus with 4 or 8 classes."""
        return read(folder, FOUR if name == "ravdess4" else tuple(EMOTIONS.values()))


class _Clip(NamedTuple):
    """A clip of one of the files: its name there, emotion, place, and vector of features."""

    name: str
    emotion: str
    where: str
    features: list[float]


def read(folder: Path, labels: tuple[str, ...]) -> Corpus:
    """Read the clips with these labels; actors 1 to 14 are train, 15 to 18 dev, 19 to 24 test.

    Streams: audio (n, 88) eGeMAPS functionals; visual (n, 35) action units, 17 intensities and 18 presences, as means
    over the clip. The clips of each actor are sorted by name, and brought into an order drawn from one generator for
    all actors; dialogue ``actor01_0`` is the first 14 of them.

    Raises:
        UnknownCorpus: a file is missing. NotThisFormat, WrongWidth: naming file and row.
        NoMatch: a clip is in one of the files only. NonFinite: naming folder and clip.
    """
    audio = _clips(folder / AUDIO, ",", "filename", re.compile(".*"), WIDTHS["audio"])
    visual = _clips(folder / VISUAL, ";", "name", re.compile(r"AU\d\d_[rc]"), WIDTHS["visual"])
    for one, other, missing in ((audio, visual, VISUAL), (visual, audio, AUDIO)):
        lost = next((clip for key, clip in one.items() if key not in other), None)
        if lost is not None:
            raise NoMatch(f"{lost.where}: clip {lost.name} is not in {folder / missing}: fetch both files again")
    actors: dict[str, list[str]] = {}
    for key in sorted(audio):
        if audio[key].emotion in labels:
            actors.setdefault(key[-2:], []).append(key)
    draws = np.random.default_rng(ORDER_SEED)
    dialogues = []
    for actor in sorted(actors):
        order = draws.permutation(len(actors[actor]))
        keys = [actors[actor][k] for k in order]
        for i in range(0, len(keys), CLIPS):
            chosen = keys[i : i + CLIPS]
            clips = [audio[key] for key in chosen], [visual[key] for key in chosen]
            dialogues.append(_dialogue(f"actor{actor}_{i // CLIPS}", int(actor), labels, *clips))
    with naming_file(folder):
        return Corpus(
            f"ravdess{len(labels)}", labels, tuple(dialogues), notes=catalogue.unpublished(folder, catalogue.RAVDESS)
        )


def _clips(path: Path, delimiter: str, named: str, is_feature: re.Pattern[str], width: int) -> dict[str, _Clip]:
    """Return the clips of a file by the last five numbers of their names.

    Args:
        named: header of the column with the name. is_feature: headers of the columns with features.
    """
    lines = rows(path, "ravdess8", delimiter)
    where, header = next(lines, (f"{path}:1", []))
    columns = [i for i, name in enumerate(header) if name != named and is_feature.fullmatch(name)]
    names = {header[i] for i in columns}
    if header.count(named) != 1 or len(columns) != width or len(names) != width:
        raise NotThisFormat(
            f"{where}: {len(names)} different columns of features and {header.count(named)} called {named}, not "
            f"{width} and 1: fetch it again"
        )
    found: dict[str, _Clip] = {}
    for where, row in lines:
        if len(row) != len(header):
            raise WrongWidth(f"{where}: {len(row)} columns where the header has {len(header)}")
        name = row[header.index(named)].removesuffix(".wav")
        match = _CLIP.fullmatch(name)
        if not match:
            raise NotThisFormat(f"{where}: {name[:40]!r} is not the name of a clip of speech: fetch the file again")
        key = name[len("03-01-") :]
        if key in found:
            raise NotThisFormat(f"{where}: clip {name} is also in {found[key].where}: fetch the file again")
        found[key] = _Clip(name, EMOTIONS[match[1]], where, [number(row[i], where) for i in columns])
    return found


def _dialogue(
    id_: str, actor: int, labels: tuple[str, ...], audio: Sequence[_Clip], visual: Sequence[_Clip]
) -> Dialogue:
    split: Split = "train" if actor <= LAST_TRAIN else "dev" if actor <= LAST_DEV else "test"
    return Dialogue(
        id_,
        np.full(len(audio), (actor + 1) % 2, np.int64),  # actors with odd numbers are male
        np.array([labels.index(clip.emotion) for clip in audio], np.int64),
        {"audio": _matrix(audio), "visual": _matrix(visual)},
        split,
        tuple(clip.name for clip in audio),
    )


def _matrix(clips: Sequence[_Clip]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # becomes an infinity, which Corpus refuses
        return np.array([clip.features for clip in clips], np.float64).astype(np.float32)
