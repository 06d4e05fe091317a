"""Sources of features: utterances of dialogues, each a recording or a segment of one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from replicate.corpus.readers.cogmen import SPEAKERS
from replicate.corpus.types import Split
from replicate.errors import BadAudio, BadSource, ReplicateError

if TYPE_CHECKING:
    from replicate.features import audio

UNLABELLED = "unlabelled"
_SECONDS = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Utterance:
    """One utterance: a recording from ``start`` to ``stop`` seconds, or all of it.

    Attributes:
        path: the recording, or the file with its text.
        label: class name; empty if the source has none.
        at: start in the dialogue in seconds; None if the source has no times.
        channel: of the recording, from 0; None is the mix of all.
        overlap: seconds in which another speaker speaks, too, in the same channel or mix.
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
    channel: int | None = None
    overlap: float = 0.0


@dataclass(frozen=True)
class Source:
    """Utterances, dialogue by dialogue, in order of time.

    Attributes:
        labels: class names in the order of their numbers.
        notes: sentences that every table on the corpus will print.
        problems: errors of utterances and recordings that are left out.
        warnings: possible errors, for which nothing is left out.
    """

    name: str
    utterances: tuple[Utterance, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[ReplicateError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """M and F as in the paper, if there are no others; otherwise the names in order of first utterance."""
        names = tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))
        return SPEAKERS if set(names) <= set(SPEAKERS) else names


def measure(source: Source) -> tuple[Source, tuple[float, ...]]:
    """Return the source with the utterances whose recordings exist and are long enough, and their durations in seconds.

    The others become problems. Of a recording that is cut short, segments that are there are kept, but it is a problem
    too. Recordings below 16 kHz, and possible errors of headers, become warnings.
    """
    from replicate.features import audio  # needs the optional packages, transcripts do not

    headers: dict[Path, audio.Header | ReplicateError] = {}
    kept, lengths, low, problems = [], [], 0, list(source.problems)
    for utterance in source.utterances:
        if utterance.path not in headers:
            try:
                headers[utterance.path] = audio.header(utterance.path)
            except ReplicateError as error:
                headers[utterance.path] = error
        header = headers[utterance.path]
        if isinstance(header, ReplicateError):
            problems.append(header)
            continue
        wrong = _problem(utterance, header, audio.LONGEST)
        problems += [problem for problem in (header.cut, wrong) if problem is not None]
        if wrong is not None:
            continue
        stop = header.seconds if utterance.stop is None else min(utterance.stop, header.seconds)
        kept.append(utterance if utterance.stop is None else replace(utterance, stop=stop))
        lengths.append(stop - utterance.start)
        low += header.rate < audio.RATE
    warnings = source.warnings
    if low:
        warnings += (
            f"{low} utterance{'s were' if low > 1 else ' was'} recorded below 16 kHz: without high frequencies, "
            "features are less reliable",
        )
    warnings += tuple(
        _header_warnings({path: found for path, found in headers.items() if not isinstance(found, ReplicateError)})
    )
    found = replace(source, utterances=tuple(kept), problems=tuple(dict.fromkeys(problems)), warnings=warnings)
    return found, tuple(lengths)


def _problem(utterance: Utterance, header: audio.Header, longest: int) -> ReplicateError | None:
    """Return why an utterance cannot be taken from a recording; None if it can."""
    if utterance.stop is None and header.cut is not None:
        return header.cut
    stop = header.seconds if utterance.stop is None else utterance.stop
    # Diarisation tools round to hundredths of a second.
    if stop > header.seconds + 0.05 or utterance.start >= header.seconds:
        return BadSource(
            f"utterance {utterance.name} ends at {stop:g} s, but {utterance.path} at {header.seconds:g} s: correct the "
            "times, or use the right recording"
        )
    if stop - utterance.start > longest:
        return BadAudio(
            f"utterance {utterance.name} lasts {stop - utterance.start:,.0f} s, more than {longest:,}: cut "
            f"{utterance.path}, or list its segments with --segments"
        )
    return None


def _header_warnings(headers: Mapping[Path, audio.Header]) -> Iterator[str]:
    """Yield what the headers warn of, each kind once with the first of its recordings."""
    paths: dict[str, list[Path]] = {}
    for path, header in headers.items():
        if header.warning:
            paths.setdefault(header.warning, []).append(path)
    for warning, found in paths.items():
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"{found[0]}{more}: {warning}"


def refuse(problems: Sequence[ReplicateError], kept: str = "") -> None:
    """Raise the first of the problems with the number of the others; do nothing if there are none."""
    if problems:
        more = f"; and {len(problems) - 1} more problems" if len(problems) > 1 else ""
        raise type(problems[0])(f"{problems[0]}{more}; --drop leaves such utterances out and names them{kept}")


def seconds(text: str) -> float | None:
    """Return a time in seconds, None if it is not one; digits of other scripts, 1_0 and nan are none."""
    return float(text) if _SECONDS.fullmatch(text) else None


def class_names(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """Return the class names in alphabetical order, or ``UNLABELLED`` if no utterance has a label.

    Raises:
        BadSource: only some utterances have a label.
    """
    given = list(utterances)
    labels = {utterance.label for utterance in given}
    if "" in labels and len(labels) > 1:
        first = next(utterance.name for utterance in given if not utterance.label)
        raise BadSource(f"utterance {first} has no label, but others have: label all utterances, or none")
    return tuple(sorted(labels - {""})) or (UNLABELLED,)
