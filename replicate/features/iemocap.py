"""The IEMOCAP release of the University of Southern California: labels, speakers, times and recordings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from replicate.corpus.readers.cogmen import LABELS, RELEASE_DIALOGUES, SPEAKERS
from replicate.corpus.types import Split
from replicate.errors import BadAudio, BadSource, ReplicateError, UnexpectedCounts
from replicate.features.source import Source, Utterance

EVALUATIONS = "dialog/EmoEvaluation"
# Codes of the release, in the order of COGMEN's class numbers; other codes have no class here.
CODES = ("hap", "sad", "neu", "ang", "exc", "fru")
# Utterances per code with USC's labels in the complete release. COGMEN's features, which the paper trains on, have 53
# more happy ones: utterances on which USC's annotators did not agree.
COUNTS = (595, 1084, 1708, 1103, 1041, 1849)
TEST_SESSION = "Session5"
# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
_LINE = re.compile(r"\[([\d.]+) - ([\d.]+)\]\s+(\w+)_([FM])(\w+)\s+([a-z]{3})\s+\[")


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


def read(root: Path, classes: int = 4, allow_other_counts: bool = False) -> Source:
    """Return the utterances of the first 4 or of all 6 classes; session 5 is test.

    The first 10 % of the other dialogues are dev, in the order of their names, since the release has no other order. An
    utterance without a recording becomes a problem.

    Raises:
        BadSource: a file of evaluations cannot be read. UnexpectedCounts: the counts differ from the complete release.
    """
    dialogues: dict[str, list[_Segment]] = {}
    folders: dict[str, Path] = {}
    codes: Counter[str] = Counter()
    for path in sorted(root.glob(f"Session*/{EVALUATIONS}/*.txt"), key=lambda path: path.name):
        if path.name.startswith("."):  # metadata of macOS in the archive
            continue
        segments = sorted(_segments(path))
        codes.update(segment.code for segment in segments)
        kept = [segment for segment in segments if segment.code in CODES[:classes]]
        if kept:
            dialogues[path.stem], folders[path.stem] = kept, path.parents[2]
    differences = _differences(len(dialogues), codes, classes)
    if differences and not allow_other_counts:
        raise UnexpectedCounts(
            f"{root} is not the whole IEMOCAP release: {'; '.join(differences)}: unpack it again, or accept it with "
            "--allow-other-counts"
        )
    rest = [name for name in dialogues if folders[name].name != TEST_SESSION]
    dev = set(rest[: int(0.1 * len(rest))])
    utterances: list[Utterance] = []
    problems: list[ReplicateError] = []
    for name, segments in dialogues.items():
        session = folders[name]
        split: Split = "test" if session.name == TEST_SESSION else "dev" if name in dev else "train"
        for segment in segments:
            wav = session / "sentences" / "wav" / name / f"{segment.name}.wav"
            label = LABELS[CODES.index(segment.code)]
            if wav.is_file():
                utterances.append(Utterance(name, segment.name, segment.speaker, wav, label, split, at=segment.start))
            else:
                problems.append(BadAudio(f"utterance {segment.name} has no recording {wav}: unpack the release again"))
    notes = ("dialogues of the IEMOCAP release in the order of their names, which decides the dev split", *differences)
    return Source(f"iemocap{classes}", tuple(utterances), LABELS[:classes], notes, tuple(problems))


def _segments(path: Path) -> Iterator[_Segment]:
    try:
        lines = path.read_text(encoding="latin1").splitlines()
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
