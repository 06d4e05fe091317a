"""The files of onnxruntime-web that the page needs, from npm or from a copy of the package; every one is verified."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from replicate.errors import BadInput, DownloadFailed, HashMismatch, MissingExtra

PACKAGE, VERSION = "onnxruntime-web", "1.23.2"
# SHA-256 of the files of this version, in the folder dist/ of the package.
SCRIPT, MODULE, BINARY = "ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"
HASHES = {
    SCRIPT: "c6bc9f8e1d0ecc3983a57910e6a30b2230a512bcd2e0207cd64306459c3de7b4",
    MODULE: "90a557d15c02bac4504d95b67f431d8594635ed2a0a62a7f2cd83d090ff91d3e",
    BINARY: "45eaee27761ad883742a8d4b8fce1538d60ce43b51adf1726fafccc59b8c1a15",
}
# Bytes of a file of the package, and of all of it when it is unpacked; seconds that npm may take.
LARGEST, UNPACKED, PATIENCE = 32 << 20, 256 << 20, 300
_COPY = f"`npm pack {PACKAGE}@{VERSION}` on another machine, and --onnxruntime-web FILE.tgz here"


@dataclass(frozen=True)
class Runtime:
    """Contents of the files: a script for the page, a module that it loads, and the program in WebAssembly."""

    script: bytes
    module: bytes
    binary: bytes


def runtime(given: Path | None) -> Runtime:
    """Return the files.

    Args:
        given: the package as npm packs it (.tgz) or unpacked, or a folder with the three files; None fetches it.

    Raises:
        MissingExtra: npm is not installed. DownloadFailed: npm fails. BadInput: ``given`` lacks a file. HashMismatch:
            a file is not that of the version.
    """
    if given is not None:
        return _verified(_from_folder(given) if given.is_dir() else _from_archive(given), given)
    with tempfile.TemporaryDirectory() as folder:
        archive = _fetch(Path(folder))
        return _verified(_from_archive(archive), archive)


def _fetch(folder: Path) -> Path:
    """Let npm fetch the package, which runs nothing of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise MissingExtra(f"npm is not installed, which fetches {PACKAGE} for the page: install it, or use {_COPY}")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise DownloadFailed(f"npm did not fetch {PACKAGE} within {PATIENCE} s: try again, or use {_COPY}") from error
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[0][:200] if lines else f"exit code {done.returncode}"
        raise DownloadFailed(f"npm cannot fetch {PACKAGE} {VERSION} ({reason}): check the network, or use {_COPY}")
    return found[0]


def _from_folder(folder: Path) -> dict[str, bytes]:
    found = {}
    for name in HASHES:
        path = next((path for path in (folder / name, folder / "dist" / name) if path.is_file()), None)
        if path is None or path.stat().st_size > LARGEST:
            raise BadInput(f"{folder} has no {name}: give the folder or the .tgz of {PACKAGE} {VERSION}")
        found[name] = path.read_bytes()
    return found


def _from_archive(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    wanted = {f"package/dist/{name}": name for name in HASHES}
    left = UNPACKED
    try:
        # tarfile's own decompression raises TypeError where a file is cut.
        with gzip.open(path) as content, tarfile.open(fileobj=content, mode="r|") as archive:
            for member in archive:
                left -= member.size
                if left < 0:
                    break
                name = wanted.get(member.name)
                file = archive.extractfile(member) if name and member.isfile() and member.size <= LARGEST else None
                if name and file:
                    found[name] = file.read()
                if len(found) == len(HASHES):
                    break
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} is no package of npm ({error}): give the .tgz of {PACKAGE} {VERSION}") from error
    missing = [name for name in HASHES if name not in found]
    if missing:
        raise BadInput(f"{path} has no dist/{missing[0]}: give the .tgz of {PACKAGE} {VERSION}")
    return found


def _verified(found: dict[str, bytes], where: Path) -> Runtime:
    for name, digest in HASHES.items():
        if hashlib.sha256(found[name]).hexdigest() != digest:
            raise HashMismatch(
                f"{name} in {where} is not that of {PACKAGE} {VERSION}: give that version, or fetch it again"
            )
    return Runtime(found[SCRIPT], found[MODULE], found[BINARY])
