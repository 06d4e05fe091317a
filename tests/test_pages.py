"""The sequences of the documentation's pages run as they are written, on recordings made on the spot."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from replicate.corpus import load
from replicate.features import iemocap
from tests.recordings import give_voices, save_hubert, write_call, write_conversations, write_published, write_release

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("iemocap.md", "recordings.md")


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def lines(page: str) -> list[list[str]]:
    """The words of every command of a page."""
    return [shlex.split(line, comments=True) for block in blocks(page, "bash") for line in block.splitlines() if line]


@pytest.fixture
def perform(replicate, monkeypatch, tmp_path):
    """Run a page's commands in a folder; settings take the values that are given, and only the download is left out."""
    monkeypatch.chdir(tmp_path)

    def run(page: str, **settings: str) -> dict[str, str]:
        """What each command printed, by its words."""
        said = {}
        for first, *words in lines(page):
            if first == "export":
                name, _, value = words[0].partition("=")
                monkeypatch.setenv(name, settings.pop(name, value))
                continue
            assert first == "replicate"
            if words[:2] == ["data", "fetch"]:
                continue
            given, _, target = " ".join(words).partition(" > ")
            status, stdout, stderr = replicate(*(os.path.expandvars(word) for word in given.split()))
            assert status == 0, (given, stderr)
            if target:
                Path(target).write_text(stdout)
            said[given] = stdout + stderr
        assert not settings
        return said

    return run


def test_every_line_is_a_setting_or_a_command():
    for page in PAGES:
        assert {words[0] for words in lines(page)} == {"export", "replicate"}


def test_links_lead_somewhere():
    for page in PAGES:
        links = re.findall(r"\]\(([^)]+)\)", (DOCS / page).read_text())
        assert links and all(link.startswith("http") or (DOCS / link).exists() for link in links)


def test_with_your_own_iemocap_licence(perform, tmp_path, monkeypatch):
    release = give_voices(write_release(tmp_path / "IEMOCAP_full_release"))
    write_published(release, tmp_path / "data" / "iemocap4" / "IEMOCAP_features_4.pkl")
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path / "data"))
    # The release in small: everything else is as in the whole one.
    monkeypatch.setattr(iemocap, "COUNTS", (20,) * 6)
    monkeypatch.setattr(iemocap, "RELEASE_DIALOGUES", 20)
    save_hubert(tmp_path / "hubert", "layer")
    said = perform("iemocap.md", HUBERT="hubert", PROFILE="smoke")
    assert load("iemocap.npz").widths == {"audio": 100, "visual": 512, "text": 100} | dict.fromkeys(
        ("hubert", "hubert-second-to-last"), 16
    )
    tables = next(text for command, text in said.items() if command.startswith("run table4"))
    assert "needs" not in tables
    for name in ("table4", "table5", "hubert"):
        assert f"{name} on iemocap4: " in tables
    rows = Path("timeline.csv").read_text().splitlines()
    assert len(rows) == 1 + 20 * 4 and rows[1].startswith("Ses01F_impro00,Ses01F_impro00_F000,F,0.500,0.")


def test_with_your_own_recordings(perform, tmp_path):
    write_conversations(tmp_path / "recordings", dialogues=10, turns=4)
    write_call(tmp_path / "CALL.wav")
    save_hubert(tmp_path / "hubert", "layer")
    (listed,) = blocks("recordings.md", "csv")
    assert (tmp_path / "recordings" / "table.csv").read_text().splitlines()[0] == listed.splitlines()[0]
    said = perform("recordings.md", HUBERT="hubert", PROFILE="smoke")
    assert {path.suffix for path in (tmp_path / "timeline").iterdir()} == {".csv", ".json", ".vtt", ".png", ".svg"}
    assert len(Path("timeline.csv").read_text().splitlines()) == 1 + 40
    assert Path("call.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> ")
    tables = next(text for command, text in said.items() if command.startswith("run table4"))
    for name in ("table4", "table5", "hubert"):
        assert f"{name} on recordings: " in tables
    (code,) = blocks("recordings.md", "python")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 8 and done.stdout.startswith("0.0 s: SPEAKER_00 ")


def test_speech_is_spoken_where_there_is_a_voice(tmp_path, monkeypatch):
    spoken = write_call(tmp_path / "spoken.wav", turns=1)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    synthesised = write_call(tmp_path / "tone.wav", turns=1)
    for path in (spoken, synthesised):
        assert path.stat().st_size > 10_000 and len(path.with_suffix(".rttm").read_text().splitlines()) == 1
