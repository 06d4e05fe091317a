"""What ``--audio`` and the options about it mean: a corpus of recordings, or recordings of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from replicate.features.calls import Progress
    from replicate.features.source import Source


def inputs(files: tuple[Path, ...], audio: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return files of features and recordings: a shell turns --audio *.wav into one recording and several FILE."""
    if audio and files and not any(path.suffix.lower() in (".csv", ".npz", ".pkl") for path in files):
        return (), (*audio, *files)
    return files, audio


def source(
    audio: Sequence[Path],
    classes: int,
    shown: Progress,
    segments: Sequence[str],
    channels: str | None,
    table: Path | None,
) -> Source:
    """Read what --audio and the options about it mean."""
    from replicate.features import calls
    from replicate.features.read import is_corpus
    from replicate.features.read import read as read_source
    from replicate.features.tables import nfc

    names = tuple(nfc(name.strip()) for name in channels.split(",")) if channels is not None else ()
    if channels is not None and not all(names):
        raise click.BadParameter("write it as NAME,NAME with a name for each channel", param_hint="--channels")
    if len(audio) == 1 and (table is not None or is_corpus(audio[0])):
        if segments or names:
            raise click.UsageError(
                f"{'--segments' if segments else '--channels'} is for recordings of conversations, but {audio[0]} has "
                "a file for each utterance"
            )
        return read_source(audio[0], table, classes=classes, allow_other_counts=True)
    if table is not None:
        raise click.UsageError("--table is for one folder: give one --audio")
    return calls.read(calls.matching(audio), segments, names, shown)
