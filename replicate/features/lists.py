"""Find the list of segments of a recording next to it."""

from __future__ import annotations

from pathlib import Path

from replicate.errors import BadSource, ReplicateError
from replicate.features import rttm
from replicate.features.tables import nfc

# Formats that list segments and nothing else; a CSV or JSON of the same name may hold anything.
SUFFIXES = (".rttm", ".textgrid", ".eaf")
# Lists of other names that are searched for the recording's name, and bytes of the largest.
_MOST, _LARGEST = 100, 2**20


def find(path: Path) -> Path | None:
    """Return the list of a recording in its folder: of the same name, or an RTTM that names the recording.

    Raises:
        BadSource: several lists might be meant.
    """
    try:
        near = sorted(
            one
            for one in path.parent.iterdir()
            if one.suffix.lower() in SUFFIXES and one.name[0] != "." and one.is_file()
        )
    except OSError:  # the recording itself may be readable
        return None
    own = [one for one in near if nfc(one.stem) == nfc(path.stem)] or [one for one in near[:_MOST] if _names(one, path)]
    if len(own) > 1:
        names = ", ".join(one.name for one in own[:3])
        raise BadSource(f"{path} has several lists of segments, {names}: choose one with --segments")
    return own[0] if own else None


def _names(path: Path, recording: Path) -> bool:
    """Return whether an RTTM has lines for a recording."""
    try:
        if path.suffix.lower() != ".rttm" or path.stat().st_size > _LARGEST:
            return False
        names = rttm.names(rttm.read(path))
    except (ReplicateError, OSError):  # a list of something else
        return False
    return rttm.is_named(nfc(recording.stem), names) or rttm.is_named(nfc(recording.name), names)
