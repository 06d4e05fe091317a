"""A timeline as a folder of files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from export.audio.plot import picture
from export.audio.timeline import Timeline, as_csv, as_json, as_vtt
from replicate.files import atomic_path, write_text


def write(timeline: Timeline, folder: Path, advance: Callable[[float], None] = lambda part: None) -> list[Path]:
    """``timeline.csv`` and ``timeline.json`` of all dialogues; WebVTT and a picture (png, svg) of each by its name.

    ``advance`` is told of every dialogue that is done.

    Raises:
        DiskFull, CannotWrite: a file cannot be written.
    """
    written = [folder / "timeline.csv", folder / "timeline.json"]
    write_text(written[0], as_csv(timeline))
    write_text(written[1], as_json(timeline))
    for stem, dialogue in zip(_stems(list(timeline.dialogues)), timeline.dialogues.values(), strict=True):
        written.append(folder / f"{stem}.vtt")
        write_text(written[-1], as_vtt(dialogue))
        for suffix, content in picture(dialogue).items():
            written.append(folder / f"{stem}.{suffix}")
            with atomic_path(written[-1]) as temporary:
                temporary.write_bytes(content)
        advance(1)
    return written


def _stems(names: list[str]) -> list[str]:
    """Names that every file system takes, no two the same, none of them ``timeline``."""
    found: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"
        taken = {other.lower() for other in (*found, "timeline")}
        number = 2
        unique = stem
        while unique.lower() in taken:
            unique, number = f"{stem}_{number}", number + 1
        found.append(unique)
    return found
