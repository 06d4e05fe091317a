"""What the readers of segment lists share: the segments that they return, and limits to what they read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from replicate import file_kinds
from replicate.errors import BadSource, TooLarge
from replicate.features.tables import LONGEST_NAME, nfc
from replicate.limits import MIB, shown

# Two hours in which every sound has an interval need 10 MB in Praat's long form, 20 MB in UTF-16.
LARGEST = 32 * MIB
# Segments that are kept. A day of talk in which a segment begins every second has fewer.
MOST = 100_000
_NAMED = 5


class Segment(NamedTuple):
    """A speaker's segment from ``start`` to ``stop`` seconds.

    Attributes:
        where: its place in the list, for messages.
        channel: of the recording, from 0; None is the mix of all.
        dialogue: name of the recording, where the list gives one, as our own timelines do.
    """

    start: float
    stop: float
    speaker: str
    where: str
    channel: int | None = None
    dialogue: str = ""


class Listed(NamedTuple):
    """The segments of a list, in its order, and notes on what of it was left out or may be wrong."""

    segments: tuple[Segment, ...]
    notes: tuple[str, ...]


def content(path: Path, kind: str, own: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of a list.

    Args:
        kind: of files, for messages.
        own: beginnings of files of this kind that would be taken for another kind, such as XML for a web page.

    Raises:
        BadSource: it cannot be read, or is a file of another kind. TooLarge: it has more than ``LARGEST`` bytes.
    """
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
    except OSError as error:
        raise BadSource(f"{path} cannot be read ({error.strerror}): check path and permissions") from error
    wrong = None if found.startswith(tuple(own)) and own else file_kinds.explain(found[: file_kinds.HEAD])
    if wrong is not None:
        raise BadSource(f"{path} {wrong}")
    if len(found) > LARGEST:
        raise TooLarge(f"{path} has more than {LARGEST // MIB} MiB, the most of {kind}: remove what is not needed")
    return found


def speaker(text: str, where: str, what: str) -> str:
    """Return a speaker's name as it is compared with others, without blanks around it.

    Args:
        what: the name is in the list, for messages.

    Raises:
        BadSource: it is empty, too long, or contains unprintable characters.
    """
    # A list may repeat a long text in every segment: the first one ends it, before it is normalised.
    name = nfc(text.strip()) if len(text) <= 10 * LONGEST_NAME else text
    if not name:
        raise BadSource(f"{where}: {what} is empty: write the speaker's name there")
    if len(name) > LONGEST_NAME:
        raise BadSource(f"{where}: {what} {shown(name)} has more than {LONGEST_NAME} characters: shorten it")
    if not name.isprintable():
        raise BadSource(f"{where}: {what} {shown(name)} contains line ends or unprintable characters: rename it")
    return name


def require_room(number: int, path: Path) -> None:
    """Refuse a list with more than ``MOST`` segments.

    Raises:
        TooLarge: names the limit.
    """
    if number > MOST:
        raise TooLarge(f"{path} lists more than {MOST:,} segments: give a list for each part of the recording")


def names(given: Sequence[str]) -> str:
    """Return some names for a message: the first few, and how many others there are."""
    more = f" and {len(given) - _NAMED} more" if len(given) > _NAMED else ""
    return ", ".join(shown(name) for name in given[:_NAMED]) + more
