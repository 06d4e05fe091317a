"""The container's files name each other's folders and user, and fix their base."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
DEVCONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


def value(instruction: str) -> str:
    """What follows an instruction of the build file."""
    (found,) = re.findall(rf"^{instruction}[ =](.+)$", CONTAINERFILE, re.MULTILINE)
    return found


def test_the_base_is_fixed_by_its_digest():
    assert re.fullmatch(r"debian:\S+@sha256:[0-9a-f]{64}", value("FROM"))


def test_the_development_container_mounts_the_source_where_it_was_installed():
    build = (ROOT / ".devcontainer" / DEVCONTAINER["build"]["dockerfile"]).resolve()
    assert build == ROOT / "Containerfile"
    assert DEVCONTAINER["workspaceFolder"] == value("WORKDIR")
    assert f",target={value('WORKDIR')}," in DEVCONTAINER["workspaceMount"]
    assert f"--uid {value('USER')} {DEVCONTAINER['remoteUser']}" in CONTAINERFILE
    python = DEVCONTAINER["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert python == value("ENV REPLICATE_VENV") + "/bin/python"


def test_what_git_ignores_is_not_copied_into_the_image():
    names = {
        file: {line.strip("*/") for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line[:1] != "#"}
        for file in (".gitignore", ".dockerignore")
    }
    assert names[".gitignore"] <= names[".dockerignore"]
