"""The pages of the documentation, their blocks of code, and a way to run these as they are written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Every page, by its path relative to docs/.
PAGES = (
    "../README.md",
    "../ARTIFACT.md",
    "../CONTRIBUTING.md",
    "../CHANGELOG.md",
    *sorted(path.name for path in DOCS.glob("*.md")),
)
# One seed in place of the profile's.
QUICKLY = "smoke --seeds 24,"
# A page marks a block that its test does not run with a comment in front of it: <!-- not run: the reason -->
_BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


class Block(NamedTuple):
    """A block of code of a page; ``runs`` is false where the page marks it as not run."""

    kind: str
    code: str
    runs: bool


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def committed(*paths: str) -> list[str]:
    """The files of this repository at or below some paths."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a clone of the repository has a list of its files")
    listed = subprocess.run(["git", "ls-files", "-z", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split("\0")[:-1]


def every_block(page: str) -> list[Block]:
    return [Block(kind, code, not mark) for mark, kind, code in _BLOCK.findall(text(page))]


def blocks(page: str, kind: str) -> list[str]:
    """The code of the blocks of one kind that a test runs."""
    return [block.code for block in every_block(page) if block.kind == kind and block.runs]


def lines(page: str) -> list[list[str]]:
    """The words of every command of a page that a test runs."""
    return [words for code in blocks(page, "bash") for words in commands(code)]


def commands(code: str) -> list[list[str]]:
    """The words of every command in a block of bash, without comments; ``a && b`` is two commands."""
    found: list[list[str]] = []
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            place = words.index("&&")
            found.append(words[:place])
            words = words[place + 1 :]
        found += [words] if words else []
    return found


@pytest.fixture
def perform(replicate, monkeypatch, tmp_path) -> Callable[..., dict[str, str]]:
    """Run a page's commands in an empty folder, in their order.

    ``settings`` are values for the page's ``export NAME=value`` lines. With ``python``, blocks of Python run, too, as
    programs of their own. Downloads are left out, and runs are trained in this process, since worker processes start
    slowly. Returns what each command or block printed, by its text.
    """
    monkeypatch.chdir(tmp_path)

    def run(page: str, python: bool = False, **settings: str) -> dict[str, str]:
        printed: dict[str, str] = {}
        for block in every_block(page):
            if block.runs and block.kind == "bash":
                for words in commands(block.code):
                    printed |= command(words, settings)
            elif block.runs and block.kind == "python" and python:
                printed[block.code] = program("-c", block.code)
        assert not settings
        return printed

    def command(words: list[str], settings: dict[str, str]) -> dict[str, str]:
        first, *rest = words
        if first == "export":
            name, _, value = rest[0].partition("=")
            monkeypatch.setenv(name, settings.pop(name, value))
            return {}
        if rest[:2] == ["data", "fetch"]:
            return {}
        rest, source = _without(rest, "<")
        rest, target = _without(rest, ">")
        given = os.path.expandvars(" ".join(rest)).split()
        if first == "python":
            return {" ".join(rest): program(*given)}
        assert first == "replicate", words
        if given[0] in ("run", "sweep") and "--jobs" not in given:
            given += ["--jobs", "1"]
        with Path(source or os.devnull).open(encoding="utf-8") as stdin, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", stdin)
            status, stdout, stderr = replicate(*given)
        assert status == 0, (given, stderr)
        if target:
            Path(target).write_text(stdout, encoding="utf-8")
        return {" ".join(rest): stdout + stderr}

    return run


def program(*arguments: str) -> str:
    """What a Python program prints."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout


def _without(words: list[str], sign: str) -> tuple[list[str], str]:
    """The words without ``sign`` and the file name after it, and that name."""
    if sign not in words:
        return words, ""
    place = words.index(sign)
    return words[:place] + words[place + 2 :], words[place + 1]
