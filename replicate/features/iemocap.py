"""The IEMOCAP release of the University of Southern California: labels, speakers, times and recordings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from replicate.corpus.readers.cogmen import LABELS, RELEASE_DIALOGUES, SPEAKERS
from replicate.corpus.types import Corpus, Split
from replicate.errors import BadAudio, BadSource, ReplicateError, UnexpectedCounts
from replicate.features import selection
from replicate.features.source import Source, Utterance
from replicate.files import visible

EVALUATIONS = "dialog/EmoEvaluation"
# Codes of the release, in the order of COGMEN's class numbers; other codes have no class here.
CODES = ("hap", "sad", "neu", "ang", "exc", "fru")
# Utterances per code with USC's labels in the complete release. COGMEN's features, which the paper trains on, have 53
# more happy ones: utterances on which USC's annotators did not agree.
COUNTS = (595, 1084, 1708, 1103, 1041, 1849)
TEST_SESSION = "Session5"
# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
_LINE = re.compile(r"\[(\d+\.?\d*) - (\d+\.?\d*)\]\s+(\w+)_([FM])(\w+)\s+([a-z]{3})\s+\[", re.ASCII)


class _Segment(NamedTuple):
    """One utterance with its label; sorts in order of time."""

    start: float
    stop: float
    name: str
    speaker: str
    code: str


def is_release(root: Path) -> bool:
    """Return whether a folder looks like the root of the release."""
    return any(root.glob(f"Session*/{EVALUATIONS}"))


def refuse_part(folder: Path) -> None:
    """Refuse a folder inside the release, such as that of a session, and one above it, if they contain no CSV.

    Raises:
        BadSource: names the folder to give instead.
    """
    if is_release(folder) or visible(folder, "*.csv"):
        return
    patterns = (f"{'*/' * depth}Session*/{EVALUATIONS}" for depth in (1, 2))
    above = next((path for pattern in patterns for path in visible(folder, pattern)), None)
    if above is not None:
        raise BadSource(f"{folder} is the folder above the IEMOCAP release: give {above.parents[2]}")
    for parent in list(folder.resolve().parents)[:5]:
        if is_release(parent):
            raise BadSource(f"{folder} is one part of the IEMOCAP release: give the whole release, {parent}")
    if (folder / EVALUATIONS).is_dir():
        raise BadSource(
            f"{folder} is one session of the IEMOCAP release: give the folder that contains Session1 to Session5"
        )


class _Dialogue(NamedTuple):
    """The folder of the session, and all utterances in order of time."""

    session: Path
    segments: list[_Segment]


# Returns the file of an utterance, from session, dialogue and utterance, or the problem that there is none.
Locate = Callable[[Path, str, str], "Path | ReplicateError"]


def recording(session: Path, dialogue: str, utterance: str) -> Path | ReplicateError:
    """Return the recording of an utterance, or the problem that it is missing."""
    wav = session / "sentences" / "wav" / dialogue / f"{utterance}.wav"
    return wav if wav.is_file() else BadAudio(f"utterance {utterance} has no recording {wav}: unpack the release again")


def read(
    root: Path,
    classes: int = 4,
    allow_other_counts: bool = False,
    like: Corpus | None = None,
    locate: Locate = recording,
) -> Source:
    """Return the utterances of the first 4 or of all 6 classes; session 5 is test.

    The first 10 % of the other dialogues are dev, in the order of their names, since the release has no other order. An
    utterance without a file becomes a problem.

    Args:
        like: a corpus whose utterances, labels and splits are taken instead. COGMEN's features have 53 utterances to
            which USC's annotators gave no common label.
        locate: finds the file of an utterance, by default its recording.

    Raises:
        BadSource: a file of evaluations cannot be read. UnexpectedCounts: the counts differ from the complete release.
        NoMatch: the utterances of ``like`` have no names.
    """
    dialogues = _evaluations(root)
    codes = Counter(segment.code for one in dialogues.values() for segment in one.segments)
    chosen = {
        name: [segment for segment in one.segments if segment.code in CODES[:classes]]
        for name, one in dialogues.items()
    }
    chosen = {name: segments for name, segments in chosen.items() if segments}
    differences = _differences(len(chosen), codes, classes)
    if differences and not allow_other_counts:
        raise UnexpectedCounts(
            f"{root} is not the whole IEMOCAP release: {'; '.join(differences)}: unpack it again, or accept it with "
            "--allow-other-counts"
        )
    if like is not None:
        sessions = {name: one.session for name, one in dialogues.items()}
        found = selection.like(like, lambda dialogue, name: locate(sessions.get(dialogue, root), dialogue, name))
        return replace(found, notes=tuple(differences))
    rest = [name for name in chosen if dialogues[name].session.name != TEST_SESSION]
    dev = set(rest[: int(0.1 * len(rest))])
    utterances: list[Utterance] = []
    problems: list[ReplicateError] = []
    for name, segments in chosen.items():
        session = dialogues[name].session
        split: Split = "test" if session.name == TEST_SESSION else "dev" if name in dev else "train"
        for segment in segments:
            path = locate(session, name, segment.name)
            label = LABELS[CODES.index(segment.code)]
            if isinstance(path, Path):
                utterances.append(Utterance(name, segment.name, segment.speaker, path, label, split, at=segment.start))
            else:
                problems.append(path)
    notes = ("dialogues of the IEMOCAP release in the order of their names, which decides the dev split", *differences)
    return Source(f"iemocap{classes}", tuple(utterances), LABELS[:classes], notes, tuple(problems))


def _evaluations(root: Path) -> dict[str, _Dialogue]:
    """Return the dialogues of all sessions in the order of their names."""
    return {
        path.stem: _Dialogue(path.parents[2], sorted(_segments(path)))
        for path in sorted(visible(root, f"Session*/{EVALUATIONS}/*.txt"), key=lambda path: path.name)
    }


def _segments(path: Path) -> Iterator[_Segment]:
    try:
        lines = path.read_text(encoding="latin1").split("\n")  # splitlines() would also split at an ellipsis
    except OSError as error:
        raise BadSource(f"{path} cannot be read ({error.strerror}): unpack the release again") from error
    for number, line in enumerate(lines, 1):
        # Lines of single evaluators begin with a letter, and the header with "% ["; lines with "[" are utterances.
        if line.startswith("["):
            found = _LINE.match(line)
            if not found or found[3] != path.stem or found[4] not in SPEAKERS:
                raise BadSource(f"{path}, line {number}: not an utterance of {path.stem}: unpack the release again")
            start, stop, dialogue, speaker, rest, code = found.groups()
            yield _Segment(float(start), float(stop), f"{dialogue}_{speaker}{rest}", speaker, code)


def _differences(dialogues: int, codes: Counter[str], classes: int) -> list[str]:
    pairs = [("dialogues", dialogues, RELEASE_DIALOGUES)]
    pairs += [(LABELS[i], codes[CODES[i]], COUNTS[i]) for i in range(classes)]
    return [f"{found:,} {what} instead of {known:,}" for what, found, known in pairs if found != known]
