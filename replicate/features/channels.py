"""Which channel of a recording a segment is read from: that of its speaker, or the one that an RTTM names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from replicate.errors import BadSource
from replicate.features.segments.base import Segment


def require(path: Path, names: Sequence[str]) -> None:
    """Refuse names of channels where a recording has another number of them, or two have the same name.

    Raises:
        BadSource: says how many it has. BadAudio: the recording cannot be read.
    """
    from replicate.features import audio  # needs the optional packages

    if len(set(names)) < len(names):
        raise BadSource(f"--channels {','.join(names)}: two channels have one name: give each speaker a name")
    found = audio.header(path).channels
    if found == 1:
        raise BadSource(
            f"{path} has one channel, and --channels names {len(names)}: leave --channels out, or give the recording "
            "with a speaker on each channel"
        )
    if found != len(names):
        raise BadSource(f"{path} has {found} channels, and --channels names {len(names)}: name all, in their order")


def assigned(path: Path, segments: Sequence[Segment], names: Sequence[str]) -> list[Segment]:
    """Return the segments with the channels of their speakers, of which ``names`` has one for each channel.

    Raises:
        BadSource: a speaker has no channel, or see ``require``.
    """
    require(path, names)
    for segment in segments:
        if segment.speaker not in names:
            known = ", ".join(list(dict.fromkeys(one.speaker for one in segments))[:4])
            raise BadSource(
                f"{segment.where}: no channel is {segment.speaker}'s by --channels {','.join(names)}: name the "
                f"channels as the list names its speakers, {known}"
            )
    return [segment._replace(channel=names.index(segment.speaker)) for segment in segments]


def numbered(path: Path, segments: Path, fields: Sequence[str]) -> tuple[list[int | None], tuple[str, ...]]:
    """Return the channel that each line of an RTTM names, from 0, and warnings; None for the mix of all channels.

    Tools that do not know channels write 1 everywhere, so channels are used only where others are named.

    Args:
        fields: third fields of the lines.

    Raises:
        BadAudio: the recording cannot be read.
    """
    mixed: list[int | None] = [None] * len(fields)
    if set(fields) <= {"1", "<NA>"}:
        return mixed, ()
    if not all(field.isascii() and field.isdecimal() and len(field) < 4 and int(field) for field in fields):
        named = ", ".join(sorted(set(fields))[:4])
        if len(set(fields)) == 1:  # such as 0, by tools that count from it
            return mixed, ()
        return mixed, (f"{segments} names the channels {named}, which are not numbers from 1: all channels are mixed",)
    from replicate.features import audio  # needs the optional packages

    found = audio.header(path).channels
    most = max(map(int, fields))
    if most > found:
        return mixed, (
            f"{segments} names channel {most}, and {path} has {found}: all channels are mixed; check that it is the "
            "right recording",
        )
    return [int(field) - 1 for field in fields], ()
