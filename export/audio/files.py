"""Write a timeline to a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from export.audio.formats.registry import FORMATS
from export.audio.plot import picture
from export.audio.timeline import Timeline
from export.distance_table import to_csv
from replicate.files import atomic_path, cut_name, write_text

# The formats of which a folder holds files in any case.
USUAL = ("csv", "json", "vtt")


def write(
    timeline: Timeline,
    folder: Path,
    advance: Callable[[float], None] = lambda count: None,
    formats: Sequence[str] = (),
) -> list[Path]:
    """Write ``timeline.csv`` and ``timeline.json``, and for each dialogue a .vtt, .png and .svg named after it.

    The distances from the training are written to ``distance.csv`` if they are known.

    Args:
        advance: called with 1 after each dialogue, to show progress.
        formats: names of further formats; a file is called ``timeline`` if the format holds several dialogues, and
            after the dialogue otherwise.

    Raises:
        DiskFull, CannotWrite: a file cannot be written.
    """
    chosen = [FORMATS[name] for name in dict.fromkeys((*USUAL, *formats))]
    written = []
    for one in chosen:
        if one.several:
            written.append(folder / f"timeline.{one.suffix}")
            write_text(written[-1], one.text(timeline))
    if timeline.distances:
        written.append(folder / "distance.csv")
        write_text(written[-1], to_csv(timeline.distances))
    for stem, dialogue in zip(_stems(list(timeline.dialogues)), timeline.dialogues.values(), strict=True):
        for one in chosen:
            if not one.several:
                written.append(folder / f"{stem}.{one.suffix}")
                write_text(written[-1], one.text(dialogue))
        for suffix, content in picture(dialogue).items():
            written.append(folder / f"{stem}.{suffix}")
            with atomic_path(written[-1]) as temporary:
                temporary.write_bytes(content)
        advance(1)
    return written


def _stems(names: list[str]) -> list[str]:
    """Make names of dialogues into file names that every file system accepts, all different, none ``timeline``."""
    found: list[str] = []
    for name in names:
        stem = cut_name(re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_")
        taken = {other.lower() for other in (*found, "timeline")}
        number = 2
        unique = stem
        while unique.lower() in taken:
            unique, number = f"{stem}_{number}", number + 1
        found.append(unique)
    return found
