"""What to extract features from: utterances of dialogues, each a piece of a recording."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from replicate.corpus.readers.cogmen import SPEAKERS
from replicate.corpus.types import Split
from replicate.errors import BadSource, ReplicateError
from replicate.features import audio

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Utterance:
    """One utterance: ``start`` to ``stop`` seconds of a recording, or all of it.

    Attributes:
        label: a class name; empty where the source has none.
        at: seconds into the dialogue at which it begins; None where the source does not say.
    """

    dialogue: str
    name: str
    speaker: str
    path: Path
    label: str = ""
    split: Split = "test"
    start: float = 0.0
    stop: float | None = None
    at: float | None = None


@dataclass(frozen=True)
class Source:
    """Utterances, dialogue after dialogue, in order of time.

    Attributes:
        labels: class names in the order of their numbers.
        notes: what every table on the corpus will print.
        problems: what had to be left out, and why.
        warnings: what may be wrong with the source, though nothing was left out for it.
    """

    name: str
    utterances: tuple[Utterance, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[ReplicateError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """M and F as in the paper, where there are no others; otherwise in the order in which they speak."""
        names = tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))
        return SPEAKERS if set(names) <= set(SPEAKERS) else names


def measure(source: Source) -> tuple[Source, tuple[float, ...]]:
    """The utterances whose recordings are there and long enough, and how many seconds each has.

    The others become problems; recordings of less than 16 kHz a doubt.
    """
    heads: dict[Path, audio.Header | ReplicateError] = {}
    kept, seconds, low, problems = [], [], 0, list(source.problems)
    for utterance in source.utterances:
        if utterance.path not in heads:
            try:
                heads[utterance.path] = audio.header(utterance.path)
            except ReplicateError as error:
                heads[utterance.path] = error
        head = heads[utterance.path]
        if isinstance(head, ReplicateError):
            problems.append(head)
            continue
        stop = head.seconds if utterance.stop is None else utterance.stop
        # Tools that cut recordings round to hundredths.
        if stop > head.seconds + 0.05:
            problems.append(
                BadSource(
                    f"utterance {utterance.name} ends at {stop:g} s, but {utterance.path} at {head.seconds:g} s: "
                    "correct the times, or take the recording they belong to"
                )
            )
            continue
        if utterance.stop is not None:
            utterance = replace(utterance, stop=min(stop, head.seconds))
        kept.append(utterance)
        seconds.append(min(stop, head.seconds) - utterance.start)
        low += head.rate < audio.RATE
    warnings = source.warnings
    if low:
        warnings += (f"{low} utterances were recorded below 16 kHz: what is said of them rests on no high tones",)
    found = replace(source, utterances=tuple(kept), problems=tuple(dict.fromkeys(problems)), warnings=warnings)
    return found, tuple(seconds)


def refuse(problems: Sequence[ReplicateError], kept: str = "") -> None:
    """Raise the first of the problems, saying how many more there are; nothing where there is none."""
    if problems:
        more = f"; and {len(problems) - 1} more of the kind" if len(problems) > 1 else ""
        raise type(problems[0])(f"{problems[0]}{more}; --drop leaves out what is wrong, and names it{kept}")


def rows(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV with a header, each with its place for messages; fields stripped, optional ones maybe empty.

    Raises:
        BadSource: the file cannot be read, lacks a column, or a row lacks a required field.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise BadSource(
                    f"{path} has no column {', '.join(missing)}: its first line must name {', '.join(required)}, with "
                    "commas between"
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                fields = {name: (row.get(name) or "").strip() for name in (*required, *optional)}
                empty = [name for name in required if not fields[name]]
                if empty:
                    raise BadSource(f"{where}: {', '.join(empty)} is empty: fill it in")
                odd = next((value for value in fields.values() if not value.isprintable()), None)
                if odd is not None:
                    raise BadSource(f"{where}: {odd[:40]!r} holds line ends, or what cannot be printed: rename it")
                yield where, fields
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadSource(f"{path} cannot be read as CSV ({reason}): save it as UTF-8 text with commas") from error


def class_names(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """The class names of labelled utterances in alphabetical order, or the stand-in where none has a label.

    Raises:
        BadSource: only some utterances have a label.
    """
    given = list(utterances)
    labels = {utterance.label for utterance in given}
    if "" in labels and len(labels) > 1:
        first = next(utterance.name for utterance in given if not utterance.label)
        raise BadSource(f"utterance {first} has no label, but others have: give all utterances one, or none")
    return tuple(sorted(labels - {""})) or (UNLABELLED,)
