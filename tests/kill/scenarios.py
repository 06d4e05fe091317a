"""The commands that are killed, and the folders that they begin in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from replicate.corpus import archive
from replicate.corpus.types import Corpus, Dialogue
from tests.recordings import tone, write_wav

RUN = ("run", "table2", "--profile", "smoke", "--seeds", "24,25", "--jobs", "2", "--out", "results")
SPLITS = ("train", "train", "train", "dev", "test", "test")


@dataclass(frozen=True)
class Scenario:
    """A command that is killed while it writes.

    Attributes:
        arguments: of the command, which is run in a folder that ``prepare`` has filled.
        share: of all kills; less for commands that take long.
    """

    name: str
    arguments: tuple[str, ...]
    prepare: Callable[[Path], None]
    share: int = 2


def command(arguments: tuple[str, ...]) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "replicate", *arguments]


def nothing(folder: Path) -> None:
    """Leave the folder empty."""


def corpora(folder: Path) -> None:
    """Write two corpora of the same utterances, of a size that takes a moment to write."""
    rng = np.random.default_rng(0)
    for name, width in (("audio", 600), ("hubert", 900)):
        dialogues = []
        for number, split in enumerate(SPLITS * 4):
            features = {name: rng.standard_normal((20, width)).astype(np.float32)}
            who = np.arange(20) % 2
            dialogues.append(Dialogue(f"d{number}", who, who, features, split, tuple(f"u{i}" for i in range(20))))
        archive.write(Corpus("made", ("no", "yes"), tuple(dialogues)), folder / f"{name}.npz")


def recordings(folder: Path) -> None:
    """Write short recordings and their CSV."""
    lines = ["dialogue,utterance,speaker,label,split"]
    for number in range(24):
        write_wav(folder / "recordings" / f"u{number}.wav", tone(0.3, hertz=120 + 9 * number, seed=number))
        label = ("sad", "happy")[number % 3 == 0]
        lines.append(f"d{number // 4},u{number},{'FM'[number % 2]},{label},{SPLITS[number // 4]}")
    (folder / "recordings" / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def results(folder: Path) -> None:
    """Train the table that is exported and reported."""
    subprocess.run(command(RUN), cwd=folder, check=True, capture_output=True)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("run", RUN, nothing, 1),
        Scenario("convert", ("data", "convert", "audio.npz", "out.npz", "--force"), corpora),
        Scenario(
            "merge",
            ("data", "merge", "audio.npz", "hubert.npz", "--stream", "hubert", "--out", "out.npz", "--force"),
            corpora,
        ),
        Scenario("features", ("features", "opensmile", "recordings", "--out", "out.npz", "--force"), recordings),
        Scenario("export", ("export", "onnx", "--results", "results"), results, 1),
        Scenario("report", ("report", "--results", "results"), results),
    )
}
