"""``SHA256SUMS`` of a results folder: what it lists, and that ``sha256sum`` reads it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess

import pytest

from replicate.errors import NotThisFormat
from replicate.report import checksums


@pytest.fixture
def folder(tmp_path):
    """A results folder with files of commands and of a user."""
    (tmp_path / "figures").mkdir()
    for name in ("manifest.json", "a table.csv", "figures/ü.svg", "notes.txt", "table9.csv", ".a table.csv.x"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


def test_files_of_the_commands_are_listed(folder):
    checksums.write(folder, ["a table"])
    found = checksums.read(folder)
    assert found is not None and [*found] == ["a table.csv", "figures/ü.svg", "manifest.json"]
    assert found["a table.csv"] == hashlib.sha256(b"a table.csv").hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_sha256sum_reads_it(folder):
    checksums.write(folder, ["a table"])
    command = ["sha256sum", "--check", "--strict", checksums.NAME]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
    (folder / "figures" / "ü.svg").write_text("other", encoding="utf-8")
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 1


def test_one_file_is_updated_alone(folder):
    checksums.update(folder, ["a table"], "manifest.json")
    before = checksums.read(folder)
    for name in ("manifest.json", "a table.csv"):
        (folder / name).write_text("other", encoding="utf-8")
    checksums.update(folder, ["a table"], "manifest.json")
    after = checksums.read(folder)
    assert before is not None and after is not None and [*before] == [*after] and len(after) == 3
    assert {name for name in after if after[name] != before[name]} == {"manifest.json"}
    checksums.remove(folder)
    assert checksums.read(folder) is None


HASH = "0" * 64


@pytest.mark.parametrize(
    "content",
    [
        f"{HASH}  ../manifest.json\n",
        f"{HASH}  /etc/passwd\n",
        f"{HASH}  runs/a.json\n",
        f"{HASH}  a\n{HASH}  a\n",
        f"{HASH} *a\n",
        f"{HASH}  \x1b[31m\n",
        "0123  a\n",
        "\x00" * (1 << 21),
    ],
)
def test_other_content_is_refused_in_one_line(content, tmp_path):
    (tmp_path / checksums.NAME).write_text(content, encoding="utf-8")
    with pytest.raises(NotThisFormat) as found:
        checksums.read(tmp_path)
    assert str(found.value).isprintable() and len(str(found.value)) < 500
