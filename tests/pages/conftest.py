"""A page of the documentation, its code, and a way to run its commands as they are written."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("iemocap.md", "recordings.md")
# One seed in place of the profile's, and no process of its own for each run.
QUICKLY = "smoke --seeds 24, --jobs 1"


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
            status, stdout, stderr = replicate(*os.path.expandvars(given).split())
            assert status == 0, (given, stderr)
            if target:
                Path(target).write_text(stdout)
            said[given] = stdout + stderr
        assert not settings
        return said

    return run
