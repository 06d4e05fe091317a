"""Transcripts of utterances: a column of a CSV, or the transcriptions of the IEMOCAP release."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from replicate.corpus.merge import first
from replicate.corpus.types import Corpus
from replicate.errors import BadSource, MissingText, ReplicateError
from replicate.features import folder, iemocap, selection, tables
from replicate.features.source import Source, Utterance
from replicate.features.tables import nfc

# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_LINE = re.compile(r"(Ses\w+) \[[\d.]+\s*-\s*[\d.]+\]:\s*(.*)")


class Transcripts(NamedTuple):
    """Utterances, and the text of each; it is empty where there is none."""

    source: Source
    texts: dict[Utterance, str]


def read(
    path: Path,
    table: Path | None = None,
    column: str = "text",
    like: Corpus | None = None,
    classes: int = 4,
    allow_other_counts: bool = False,
) -> Transcripts:
    """Return the transcripts in a CSV, in the CSV of a folder, or in the IEMOCAP release.

    Args:
        table: the CSV of a folder that contains several, see ``folder.read``; recordings are not needed.
        column: the column with the text.
        like: a corpus with names of utterances, whose dialogues, speakers, labels and splits are taken; a CSV then
            needs columns utterance and ``column`` alone.
        classes, allow_other_counts: see ``iemocap.read``.

    Raises:
        BadSource: there is no such CSV, or its content is wrong. UnexpectedCounts: the IEMOCAP release is incomplete.
        NoMatch: the utterances of ``like`` have no names.
    """
    if path.is_dir() and iemocap.is_release(path):
        return _release(path, classes, allow_other_counts, like)
    if path.is_dir() and table is None:
        iemocap.refuse_part(path)
    if not path.exists():
        raise BadSource(f"no CSV and no folder {path}: check the path")
    table = table or (folder.only_table(path) if path.is_dir() else path)
    if like is not None:
        return _like(table, column, like)
    lines, warnings = folder.listed(table, column)
    name = nfc(path.resolve().name if path.is_dir() else path.stem)
    source = folder.to_source(name, [line.utterance for line in lines], lines, warnings=warnings)
    return Transcripts(source, {line.utterance: line.text for line in lines})


def complete(found: Transcripts, drop: bool, allow_empty: bool) -> tuple[Transcripts, tuple[Utterance, ...]]:
    """Return the transcripts to extract, and the utterances without text that were dropped or taken as empty.

    Raises:
        MissingText: there are some, and neither ``drop`` nor ``allow_empty`` is set.
    """
    without = tuple(one for one in found.source.utterances if not found.texts.get(one))
    if not without or allow_empty:
        return found, without
    names = [f"{one.dialogue}/{one.name}" for one in without]
    if not drop:
        raise MissingText(
            f"{len(names)} of {len(found.source.utterances)} utterances have no text{first(names)}: fill it in, leave "
            "them out with --drop, or take their text as empty with --allow-empty"
        )
    left = set(without)
    kept = tuple(one for one in found.source.utterances if one not in left)
    return Transcripts(replace(found.source, utterances=kept), found.texts), without


def _like(table: Path, column: str, corpus: Corpus) -> Transcripts:
    found: dict[str, str] = {}
    given = tables.read(table, ("utterance",), (), column, ("dialogue", "speaker", "label", "split", "start"))
    for where, row in given.rows:
        if row["utterance"] in found:
            raise BadSource(f"{where}: utterance {row['utterance']} is listed twice: remove one of the lines")
        found[row["utterance"]] = row[column]
    source = replace(selection.like(corpus, lambda dialogue, name: table), warnings=given.warnings)
    _require_unique(source.utterances, corpus)
    return _with_texts(source, found)


def _require_unique(utterances: Sequence[Utterance], corpus: Corpus) -> None:
    dialogues: dict[str, str] = {}
    for one in utterances:
        if dialogues.setdefault(one.name, one.dialogue) != one.dialogue:
            raise BadSource(
                f"corpus {corpus.name} has an utterance {one.name} in dialogues {dialogues[one.name]} and "
                f"{one.dialogue}: give a CSV with dialogue, utterance and speaker, and leave out --like"
            )


def _release(root: Path, classes: int, allow_other_counts: bool, like: Corpus | None) -> Transcripts:
    texts: dict[str, str] = {}
    read_files: set[Path] = set()

    def locate(session: Path, dialogue: str, utterance: str) -> Path | ReplicateError:
        path = session / "dialog" / "transcriptions" / f"{dialogue}.txt"
        if path not in read_files and path.is_file():
            texts.update(_transcription(path))
        read_files.add(path)
        return path

    return _with_texts(iemocap.read(root, classes, allow_other_counts, like, locate), texts)


def _transcription(path: Path) -> dict[str, str]:
    """Return the text of every utterance in a file of the IEMOCAP release; other lines have no utterance's name."""
    try:
        lines = path.read_text(encoding="latin1").split("\n")  # splitlines() would also split at an ellipsis
    except OSError as error:
        raise BadSource(f"{path} cannot be read ({error.strerror}): unpack the release again") from error
    matches = (_LINE.match(line) for line in lines)
    return {match[1]: " ".join(match[2].split()) for match in matches if match}


def _with_texts(source: Source, texts: Mapping[str, str]) -> Transcripts:
    return Transcripts(source, {one: texts.get(nfc(one.name), "") for one in source.utterances})
