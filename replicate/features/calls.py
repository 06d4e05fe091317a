"""Recordings of conversations, several at once, each with a list of its segments or with detected speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from replicate.errors import BadSource, ReplicateError
from replicate.features import channels, lists, recording, vad
from replicate.features.files import entries, is_recording
from replicate.features.folder import NO_LABELS, NO_SPLIT
from replicate.features.source import UNLABELLED, Source
from replicate.features.tables import nfc

# In place of a list: detect speech.
DETECT = "vad"
Progress = Callable[[float], AbstractContextManager[Callable[[float], None]]]


def read(
    paths: Sequence[Path],
    segments: Sequence[str | Path] = (),
    names: Sequence[str] = (),
    progress: Progress = lambda total: nullcontext(lambda seconds: None),
) -> Source:
    """Return the segments of recordings, each of which becomes a dialogue.

    The problems of one of several recordings become problems of the source, and the others are kept.

    Args:
        paths: recordings, and folders of which every recording is meant.
        segments: for each recording a list, or ``vad``; one ``vad`` for all; or one RTTM that names all of them.
            Without it, a list that ``lists.find`` finds next to the recording is used, unless there are ``names``, and
            otherwise ``vad``.
        names: the speaker of each channel, if there is one on each.
        progress: called with the seconds in which speech has to be detected; returns a context whose value is called
            with the seconds that are done.

    Raises:
        ReplicateError: the only recording has no segments. BadSource: the lists do not fit the recordings.
    """
    found = list(_expanded(paths))
    chosen = _paired(found, segments or ([DETECT] if names else []))
    several = len(found) > 1
    shared = several and len(segments) == 1
    named, sources, problems = _names(found), {}, []
    total = _seconds([path for path, given in zip(found, chosen, strict=True) if given is None])
    with progress(total) if total else nullcontext(lambda seconds: None) as advance:
        for path, given in zip(found, chosen, strict=True):
            try:
                one = _read(path, given, names, shared, advance)
            except ReplicateError as error:
                if not several:
                    raise
                problems.append(error)
                continue
            sources[path] = recording.renamed(one, named[path]) if one.name != named[path] else one
    notes = _notes(sources, dict(zip(found, chosen, strict=True)), names, not segments)
    merged = Source(
        f"{len(found)} recordings" if several else named[found[0]],
        tuple(utterance for one in sources.values() for utterance in one.utterances),
        (UNLABELLED,),
        (NO_LABELS, NO_SPLIT),
        (*problems, *(problem for one in sources.values() for problem in one.problems)),
        (*notes, *dict.fromkeys(warning for one in sources.values() for warning in one.warnings)),
    )
    return recording.with_overlap_noted(merged)


def _notes(
    sources: Mapping[Path, Source], chosen: Mapping[Path, Path | None], names: Sequence[str], found: bool
) -> Iterator[str]:
    """Yield what the segments come from; ``found`` tells whether lists were looked for, and not given."""
    listed = [path for path in sources if chosen[path] is not None]
    detected = [path for path in sources if chosen[path] is None]
    if found and listed:
        more = f", and of {len(listed) - 1} more recordings from lists next to them" if len(listed) > 1 else ""
        where = f"{listed[0]} from {chosen[listed[0]]}{more}"
        yield f"segments of {where}; to detect speech instead, give --segments {DETECT}"
    if found and detected:
        count = sum(len(sources[path].utterances) for path in detected)
        more = f" and {len(detected) - 1} more recordings" if len(detected) > 1 else ""
        utterances = f"{count:,} utterance{'s' * (count != 1)}"
        yield f"no list of segments for {detected[0]}{more}: voice activity detection found {utterances}"
    if detected and not names:
        yield (
            "voice activity detection does not tell speakers apart, so one speaker has all utterances: for several, "
            "give a list of who speaks when with --segments, or name the channels with --channels"
        )


def matching(paths: Sequence[Path]) -> list[Path]:
    """Return the paths, with the files that match in place of a pattern such as ``calls/*.wav``.

    Raises:
        BadSource: nothing matches.
    """
    found: list[Path] = []
    for path in paths:
        if path.exists() or not any(mark in str(path) for mark in "*?["):
            found.append(path)
            continue
        base = Path(path.anchor)  # empty where the pattern is relative
        own = sorted(one for one in base.glob(str(path.relative_to(base))) if is_recording(one))
        if not own:
            raise BadSource(f"no recording matches {path}: check the pattern")
        found += own
    return found


def _read(
    path: Path, segments: Path | None, names: Sequence[str], shared: bool, advance: Callable[[float], None]
) -> Source:
    """Return the segments of one recording; ``shared`` tells whether the list is for others, too."""
    from replicate.features import audio

    recording.refuse_list(path)
    header = audio.header(path)
    if segments is not None:
        return recording.read(path, segments, names, shared)
    if header.cut is not None:
        raise header.cut
    if names:
        channels.require(path, names)
    return recording.to_source(path, vad.detect(path, names, advance))


def _expanded(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the recordings, and those directly in a folder.

    Raises:
        BadSource: there is none, or one is given twice.
    """
    seen: set[Path] = set()
    for path in paths:
        inside = sorted(one for one in entries(path) if is_recording(one)) if path.is_dir() else [path]
        if not inside:
            raise BadSource(f"{path} contains no recordings: give the folder or the files that are meant")
        for one in inside:
            if one.resolve() in seen:
                raise BadSource(f"{one} is given twice: give each recording once")
            seen.add(one.resolve())
            yield one


def _paired(paths: Sequence[Path], segments: Sequence[str | Path]) -> list[Path | None]:
    """Return the list of each recording, None where speech is to be detected.

    Raises:
        BadSource: the number of lists is neither 1 nor that of the recordings.
    """
    if not segments:
        return [lists.find(path) for path in paths]
    given = [None if str(one) == DETECT else Path(one) for one in segments]
    if len(given) == 1:
        return given * len(paths)
    if len(given) != len(paths):
        raise BadSource(
            f"{len(given)} lists of segments for {len(paths)} recordings: give one for each in the same order, or one "
            f"RTTM that names all of them"
        )
    return given


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Name dialogues after their files, with folder or suffix where names would be the same."""
    found = {path: nfc(path.stem) for path in paths}
    for longer in (lambda path: path.name, lambda path: f"{path.parent.name}/{path.name}", str):
        taken = Counter(found.values())
        found = {path: name if taken[name] == 1 else nfc(longer(path)) for path, name in found.items()}
    return found


def _seconds(paths: Sequence[Path]) -> float:
    """Return the duration of recordings, of those that cannot be read 0."""
    from replicate.features import audio

    if paths:
        vad.require()
    total = 0.0
    for path in paths:
        try:
            total += audio.header(path).seconds
        except ReplicateError:  # raised again when it is its turn
            continue
    return total
