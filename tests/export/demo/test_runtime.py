"""The files of onnxruntime-web: from npm, from folders and packages, and whatever is not that version."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile

import pytest

from export.demo import runtime as module
from export.demo.runtime import BINARY, HASHES, MODULE, SCRIPT, Runtime, runtime
from replicate.errors import BadInput, DownloadFailed, HashMismatch, MissingExtra

FILES = {SCRIPT: b"script", MODULE: b"module", BINARY: b"binary"}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Let the version consist of a few bytes."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(module, "HASHES", digests)


def packed(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(f"package/dist/{name}")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def test_every_form_of_the_package(tmp_path):
    for folder in (tmp_path / "flat", tmp_path / "package" / "dist"):
        folder.mkdir(parents=True)
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
    wanted = Runtime(b"script", b"module", b"binary")
    for given in (tmp_path / "flat", tmp_path / "package", packed(tmp_path / "a.tgz", FILES)):
        assert runtime(given) == wanted


def test_what_is_not_this_version(tmp_path):
    with pytest.raises(HashMismatch, match=f"{MODULE} in .* is not that of onnxruntime-web 1"):
        runtime(packed(tmp_path / "other.tgz", FILES | {MODULE: b"other"}))
    with pytest.raises(BadInput, match=f"has no dist/{BINARY}"):
        runtime(packed(tmp_path / "less.tgz", {name: FILES[name] for name in (SCRIPT, MODULE)}))
    (tmp_path / "no.tgz").write_bytes(b"no archive")
    for path, message in (("no.tgz", "is no package of npm"), ("none.tgz", "is no package"), (".", "has no ort.wasm")):
        with pytest.raises(BadInput, match=message):
            runtime(tmp_path / path)


def test_a_package_that_unpacks_to_more_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "UNPACKED", 1000)
    with pytest.raises(BadInput, match="has no dist/"):
        runtime(packed(tmp_path / "large.tgz", {"zeros": bytes(10_000)} | FILES))


def test_npm_is_asked_for_the_version_and_runs_no_script(tmp_path, monkeypatch):
    def npm(command, **options):
        assert {"pack", f"onnxruntime-web@{module.VERSION}", "--ignore-scripts"} <= set(command)
        packed(options["cwd"] / "onnxruntime-web.tgz", FILES)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(module.subprocess, "run", npm)
    assert runtime(None).binary == b"binary"


def test_npm_that_is_not_there_or_fails(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(MissingExtra, match=r"npm is not installed.*--onnxruntime-web FILE.tgz"):
        runtime(None)
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    failed = subprocess.CompletedProcess([], 1, "", "\nnpm error code ENOTFOUND\nmore")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(DownloadFailed, match=r"\(npm error code ENOTFOUND\): check the network"):
        runtime(None)

    def slow(*_, **__):
        raise subprocess.TimeoutExpired("npm", 1)

    monkeypatch.setattr(module.subprocess, "run", slow)
    with pytest.raises(DownloadFailed, match="within 300 s"):
        runtime(None)


def test_the_hashes_are_of_three_files():
    assert set(HASHES) == {SCRIPT, MODULE, BINARY} and all(len(digest) == 64 for digest in HASHES.values())
