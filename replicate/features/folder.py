"""A folder of recordings, one per utterance, with a CSV of dialogues and speakers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from replicate.corpus.types import SPLITS, Split
from replicate.errors import BadSource, ReplicateError
from replicate.features import tables
from replicate.features.files import Recordings, tables_in
from replicate.features.source import UNLABELLED, Source, Utterance, class_names, seconds
from replicate.features.tables import nfc

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

    ``utterance`` is the name of a recording below the folder, without its suffix; where several files have
    this name, with the folder, such as ``train/u1``. ``start`` is its start in the dialogue in seconds. Without
    ``table``, the folder must contain exactly one CSV. Lines without a recording and recordings without a line become
    problems of the source.

    Raises:
        BadSource: there is no such CSV, or its content is wrong.
    """
    table = table or only_table(folder)
    recordings = Recordings(folder)
    lines, warnings = listed(table)
    problems: list[ReplicateError] = list(recordings.problems)
    found: list[Utterance] = []
    used: dict[Path, str] = {}
    for where, utterance, _ in lines:
        path = recordings.find(utterance.name, where)
        if isinstance(path, ReplicateError):
            problems.append(path)
        elif path in used:
            raise BadSource(f"{where}: {utterance.name} is {path}, as {used[path]} has it: remove one of the lines")
        else:
            used[path] = where
            found.append(replace(utterance, path=path))
    for path in recordings.without_line({line.utterance.name for line in lines}):
        problems.append(BadSource(f"{path} has no line in {table}: add one, or remove the recording"))
    return to_source(nfc(folder.resolve().name), found, lines, problems, warnings)


class Listed(NamedTuple):
    """The lines of a CSV, and warnings about its columns."""

    lines: tuple[Line, ...]
    warnings: tuple[str, ...]


def listed(table: Path, text: str | None = None) -> Listed:
    """Return the lines of a CSV as described in ``read``, in its order.

    Args:
        text: name of a column of running text.

    Raises:
        BadSource: the content is wrong.
    """
    splits: dict[str, Split] = {}
    found: dict[str, Line] = {}
    given = tables.read(table, ("dialogue", "utterance", "speaker"), ("label", "split", "start"), text, ("text",))
    for where, row in given.rows:
        dialogue, name = row["dialogue"], row["utterance"].replace("\\", "/")
        if name in found:
            raise BadSource(_twice(name, where, found[name].where))
        split: Split | None = next((known for known in SPLITS if known == (row["split"] or "test")), None)
        if split is None or splits.setdefault(dialogue, split) != split:
            raise BadSource(
                f"{where}: split {row['split']!r} of dialogue {dialogue}: a dialogue is in one of {', '.join(SPLITS)}"
            )
        at = _start(row["start"], where)
        one = Utterance(dialogue, name, row["speaker"], table, row["label"], split, at=at)
        found[name] = Line(where, one, row[text] if text else "")
    return Listed(tuple(found.values()), given.warnings)


def _twice(name: str, where: str, first: str) -> str:
    """Return the message on a name in two lines, which may be two recordings: MELD has the same names in each split."""
    return (
        f"{where}: utterance {name} is also in {first}: if these are two utterances, write each with the folder of its "
        f"recording, such as train/{name}, or rename one; if they are the same, remove one of the lines"
    )


def to_source(
    name: str,
    kept: Sequence[Utterance],
    lines: Sequence[Line],
    problems: Sequence[ReplicateError] = (),
    warnings: Sequence[str] = (),
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
    return Source(name, utterances, labels, tuple(notes), tuple(problems), tuple(warnings))


def _ordered(found: Sequence[Utterance], dialogues: Sequence[str]) -> tuple[Utterance, ...]:
    """Sort by dialogue, and within a dialogue by start, or by the order of lines if there are no starts."""
    timed = {dialogue: [one.at is not None for one in found if one.dialogue == dialogue] for dialogue in dialogues}
    mixed = next((dialogue for dialogue, known in timed.items() if any(known) and not all(known)), None)
    if mixed is not None:
        raise BadSource(f"only some utterances of dialogue {mixed} have a start: give it for all of them, or for none")
    return tuple(sorted(found, key=lambda one: (dialogues.index(one.dialogue), one.at or 0.0)))


def _start(text: str, where: str) -> float | None:
    found = seconds(text)
    if text and (found is None or not 0 <= found < math.inf):
        raise BadSource(f"{where}: start {text[:20]!r} is not a time: give seconds, such as 12.5, or leave it empty")
    return found


def only_table(folder: Path) -> Path:
    """Return the CSV of a folder, see ``tables_in``.

    Raises:
        BadSource: there is none, or more than one, or the folder cannot be read.
    """
    found = tables_in(folder)
    if len(found) != 1:
        raise BadSource(
            f"{folder} contains {'several CSV files' if found else 'no CSV'}: give the one with dialogue, utterance "
            "and speaker with --table"
        )
    return found[0]
