"""Commit and state of the package's own repository, asked safely, and the builds of libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from replicate import provenance
from replicate.provenance import Provenance, Revision, builds, in_words, joined, revision

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
NONE = Revision(None, None)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True, env=clean)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def forget():
    """Every test asks git itself."""
    provenance._revision.cache_clear()
    yield
    provenance._revision.cache_clear()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of one commit in a folder with a space and an umlaut."""
    folder = (tmp_path / "a ü").resolve()
    folder.mkdir()
    (folder / "code.py").write_text("x = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_a_clean_repository(root):
    assert provenance._revision(root) == (git(root, "rev-parse", "HEAD"), True)


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_a_changed_or_new_file_is_noted(root, name):
    (root / name).write_text("x = 2\n")
    assert provenance._revision(root) == (git(root, "rev-parse", "HEAD"), False)


def test_git_is_asked_once(root, monkeypatch):
    first = provenance._revision(root)
    monkeypatch.setattr(provenance, "_git", lambda *_: pytest.fail("asked again"))
    assert provenance._revision(root) is first


def test_a_work_tree_of_a_repository(root, tmp_path):
    git(root, "worktree", "add", "-q", str(tmp_path / "other"))
    assert provenance._revision((tmp_path / "other").resolve()) == (git(root, "rev-parse", "HEAD"), True)


def test_a_package_below_somebody_elses_repository_has_none(root):
    (root / "site-packages").mkdir()
    assert provenance._revision(root / "site-packages") == NONE
    (root / "site-packages" / ".git").mkdir()  # no repository, so git would look above
    assert provenance._revision(root / "site-packages") == NONE


def test_a_repository_whose_files_are_elsewhere_is_not_ours(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    git(root, "config", "core.worktree", str(tmp_path / "elsewhere"))
    assert provenance._revision(root) == NONE


def test_a_repository_without_a_commit(tmp_path):
    git(tmp_path, "init", "-q")
    assert provenance._revision(tmp_path.resolve()) == NONE


def test_the_environment_names_no_other_repository(root, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    for name, value in (("GIT_DIR", other / ".git"), ("GIT_WORK_TREE", other), ("GIT_INDEX_FILE", other / "index")):
        monkeypatch.setenv(name, str(value))
    assert provenance._revision(root) == (git(root, "rev-parse", "HEAD"), True)


def test_no_program_of_the_repository_is_run_and_nothing_is_written(root, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    script.chmod(0o755)
    (root / "hooks").mkdir()
    shutil.copy(script, root / "hooks" / "post-index-change")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "two")
    for name, value in (("core.fsmonitor", script), ("core.hooksPath", root / "hooks"), ("core.pager", script)):
        git(root, "config", name, str(value))
    os.utime(root / "code.py", (1, 1))  # git would write the new time into its index
    before = (root / ".git" / "index").read_bytes()
    assert provenance._revision(root).clean is True
    assert not (tmp_path / "ran").exists() and (root / ".git" / "index").read_bytes() == before


@pytest.mark.parametrize("script", ["exec sleep 60", "exit 1", "printf '\\377\\n\\377\\n'", None])
def test_a_git_that_hangs_fails_or_is_missing_is_no_obstacle(root, tmp_path, monkeypatch, script):
    monkeypatch.setattr(provenance, "_PATIENCE", 0.2)
    (tmp_path / "bin").mkdir()
    if script:
        (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin" if script else str(tmp_path / "bin"))
    began = time.monotonic()
    assert provenance._revision(root) == NONE
    assert time.monotonic() - began < 5


def test_words():
    commit = "0123456789abcdef" * 2 + "01234567"
    assert in_words(None, None) == "no repository"
    assert in_words(commit, True) == "commit 0123456789ab, nothing changed"
    assert in_words(commit, False) == "commit 0123456789ab, with changes that were not committed"
    assert in_words(commit, None) == "commit 0123456789ab, unknown whether changed"
    with pytest.raises(ValueError, match="git_commit = 'HEAD' is no commit"):
        Provenance("HEAD", None, "x", {})


def test_builds_name_threads_and_libraries_whatever_else_is_set():
    import torch

    threads = torch.get_num_threads()
    first = builds("cpu")
    assert first["threads"] == "1" and torch.get_num_threads() == threads
    assert {"BLAS of numpy", "BLAS of torch", "instructions"} <= {*first}
    torch.set_num_threads(threads + 1)
    try:
        assert builds("cpu") == first
    finally:
        torch.set_num_threads(threads)
    assert Provenance.this("cpu").builds == first and Provenance.this("cpu").git_commit == revision().commit


def test_builds_of_several_runs_are_joined():
    assert joined([{"MKL": "1", "a": "x"}, {"MKL": "2"}, {"MKL": "1"}]) == {"MKL": "1 or 2", "a": "x"}
    assert joined([]) == {}
