"""Write a timeline to a folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from export.audio.plot import picture
from export.audio.timeline import Timeline, to_vtt
from export.output import to_csv, to_json
from replicate.files import atomic_path, cut_name, write_text


def write(timeline: Timeline, folder: Path, advance: Callable[[float], None] = lambda count: None) -> list[Path]:
    """Write ``timeline.csv`` and ``timeline.json``, and for each dialogue a .vtt, .png and .svg named after it.

    Args:
        advance: called with 1 after each dialogue, to show progress.

    Raises:
        DiskFull, CannotWrite: a file cannot be written.
    """
    utterances = timeline.utterances()
    written = [folder / "timeline.csv", folder / "timeline.json"]
    write_text(written[0], to_csv(utterances))
    write_text(written[1], to_json(utterances))
    for stem, dialogue in zip(_stems(list(timeline.dialogues)), timeline.dialogues.values(), strict=True):
        written.append(folder / f"{stem}.vtt")
        write_text(written[-1], to_vtt(dialogue))
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
