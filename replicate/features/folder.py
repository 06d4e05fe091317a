"""A folder of recordings, one per utterance, with a CSV of dialogues and speakers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from replicate.corpus.types import SPLITS, Split
from replicate.errors import BadSource, ReplicateError
from replicate.features.source import UNLABELLED, Source, Utterance, class_names, rows

SUFFIXES = (".wav", ".flac")
NO_SPLIT = "the CSV has no split: every dialogue is in test"
NO_LABELS = "no labels: for prediction, not for training"


class Line(NamedTuple):
    """A row of the CSV.

    Attributes:
        where: file and line, for messages.
        utterance: its ``path`` is the CSV.
        text: running text, if a column of it was asked for.
    """

    where: str
    utterance: Utterance
    text: str


def read(folder: Path, table: Path | None = None) -> Source:
    """Return the utterances in a CSV with columns dialogue, utterance, speaker and optionally label, split, start.

    ``utterance`` is the name of a .wav or .flac file below the folder, without its suffix; ``start`` is its start in
    the dialogue in seconds. Without ``table``, the folder must contain exactly one CSV. Lines without a recording and
    recordings without a line become problems of the source.

    Raises:
        BadSource: there is no such CSV, or its content is wrong.
    """
    table = table or only_table(folder)
    recordings, problems = _recordings(folder)
    lines = listed(table)
    found: list[Utterance] = []
    for where, utterance, _ in lines:
        name = utterance.name
        if name in recordings:
            found.append(replace(utterance, path=recordings[name]))
        else:
            problems.append(BadSource(f"{where}: no recording {name}.wav or {name}.flac below {folder}: add it"))
    names = {line.utterance.name for line in lines}
    for name, path in recordings.items():
        if name not in names:
            problems.append(BadSource(f"{path} has no line in {table}: add one, or remove the recording"))
    return to_source(folder.resolve().name, found, lines, problems)


def listed(table: Path, text: str | None = None) -> tuple[Line, ...]:
    """Return the lines of a CSV as described in ``read``, in its order.

    Args:
        text: name of a column of running text.

    Raises:
        BadSource: the content is wrong.
    """
    splits: dict[str, Split] = {}
    found: dict[str, Line] = {}
    for where, row in rows(table, ("dialogue", "utterance", "speaker"), ("label", "split", "start"), text):
        dialogue, name = row["dialogue"], row["utterance"]
        if name in found:
            raise BadSource(f"{where}: utterance {name} is listed twice: remove one of the lines")
        split: Split | None = next((known for known in SPLITS if known == (row["split"] or "test")), None)
        if split is None or splits.setdefault(dialogue, split) != split:
            raise BadSource(
                f"{where}: split {row['split']!r} of dialogue {dialogue}: a dialogue is in one of {', '.join(SPLITS)}"
            )
        at = _seconds(row["start"], where)
        one = Utterance(dialogue, name, row["speaker"], table, row["label"], split, at=at)
        found[name] = Line(where, one, row[text] if text else "")
    return tuple(found.values())


def to_source(
    name: str, kept: Sequence[Utterance], lines: Sequence[Line], problems: Sequence[ReplicateError] = ()
) -> Source:
    """Return the source of the utterances that are kept of a CSV, dialogue by dialogue in the order of the CSV.

    Raises:
        BadSource: only some of them have labels or starts.
    """
    utterances = _ordered(kept, list(dict.fromkeys(line.utterance.dialogue for line in lines)))
    labels = class_names(utterances)
    notes = [NO_LABELS] if labels == (UNLABELLED,) else []
    if {line.utterance.split for line in lines} == {"test"}:
        notes.append(NO_SPLIT)
    return Source(name, utterances, labels, tuple(notes), tuple(problems))


def _ordered(found: Sequence[Utterance], dialogues: Sequence[str]) -> tuple[Utterance, ...]:
    """Sort by dialogue, and within a dialogue by start, or by the order of lines if there are no starts."""
    timed = {dialogue: [one.at is not None for one in found if one.dialogue == dialogue] for dialogue in dialogues}
    mixed = next((dialogue for dialogue, known in timed.items() if any(known) and not all(known)), None)
    if mixed is not None:
        raise BadSource(f"only some utterances of dialogue {mixed} have a start: give it for all of them, or for none")
    return tuple(sorted(found, key=lambda one: (dialogues.index(one.dialogue), one.at or 0.0)))


def _seconds(text: str, where: str) -> float | None:
    try:
        found = float(text) if text else None
    except ValueError:
        found = math.nan
    if found is not None and not 0 <= found < math.inf:
        raise BadSource(f"{where}: start {text!r} is not a time: give seconds, such as 12.5, or leave it empty")
    return found


def only_table(folder: Path) -> Path:
    """Return the CSV of a folder.

    Raises:
        BadSource: there is none, or more than one.
    """
    found = sorted(folder.glob("*.csv"))
    if len(found) != 1:
        raise BadSource(
            f"{folder} contains {'several CSV files' if found else 'no CSV'}: give the one with dialogue, utterance "
            "and speaker with --table"
        )
    return found[0]


def _recordings(folder: Path) -> tuple[dict[str, Path], list[ReplicateError]]:
    """Return recordings by their names without suffix; of several with the same name, the first."""
    found: dict[str, Path] = {}
    problems: list[ReplicateError] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            if path.stem in found:
                problems.append(BadSource(f"{path} and {found[path.stem]} have the same name: rename one"))
            else:
                found[path.stem] = path
    return found, problems
