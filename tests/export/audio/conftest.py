"""Recordings, and bundles of models that were trained on their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from replicate.cli import main
from tests.recordings import save_hubert, write_call, write_conversations


class Recordings(NamedTuple):
    """The folder of recordings, corpora and bundles; do not write into it."""

    root: Path

    @property
    def call(self) -> tuple[Any, ...]:
        return ("--audio", self.root / "CALL.wav", "--segments", self.root / "CALL.rttm")


def command(*arguments: object) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    assert not exit_.value.code


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """Recordings, the corpus of both extractors' features, and a bundle of either."""
    root = tmp_path_factory.mktemp("recordings")
    write_conversations(root / "recordings", dialogues=5, utterances=4)
    write_call(root / "CALL.wav")
    save_hubert(root / "hubert", "layer")
    command("features", "opensmile", root / "recordings", "--out", root / "mine.npz")
    command("features", "hubert", root / "recordings", "--model", root / "hubert", "--out", root / "hubert.npz")
    merge = ("data", "merge", root / "mine.npz", root / "hubert.npz", "--stream", "hubert", "--out", root / "both.npz")
    command(*merge)
    training = ("--profile", "smoke", "--seeds", "24,", "--jobs", "1", "--out", root / "results")
    command("run", "table4", "--data", root / "both.npz", *training)
    for arm in ("COGMEN-A", "HuBERT-A"):
        command("export", "onnx", "--results", root / "results", "--arm", arm, "--out", root / arm)
    return Recordings(root)
