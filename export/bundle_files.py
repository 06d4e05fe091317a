"""Check the files of a bundle against its checksums.

``predict.py`` of every bundle contains this module, so it imports nothing else of this package.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from export.graph_check import brief, listed, shown

MODEL, INT8, STREAM, CHECKSUMS = "model.onnx", "model.int8.onnx", "model.stream.onnx", "checksums.json"
# From waveforms, for models of acoustic functionals.
WAV, WAV_STREAM = "model.wav.onnx", "model.wav.stream.onnx"
# In bytes; no exported bundle comes near them.
MAX_CHECKSUMS, MAX_MODEL, MAX_BUNDLE = 1 << 20, 1 << 26, 1 << 29
# Bytes of a file that are in memory while it is hashed.
PIECE = 1 << 18


class BadBundle(ValueError):
    """The folder is not an exported bundle, or its files were changed after the export."""


class BadInput(ValueError):
    """The model cannot be run on these features or speakers."""


def verify(folder: Path) -> dict[str, str]:
    """Compare every file of a bundle with its checksum in ``checksums.json``; returns the checksum of each file.

    Raises:
        BadBundle: a file was changed or is missing (all are named), or the folder is not a bundle.
    """
    try:
        sums = _checksums(folder)
        buffer = memoryview(bytearray(PIECE))
        found = {name: _sha256(path, buffer) for name, path in _inside(folder, sums).items()}
    except (OSError, ValueError, RecursionError) as error:
        raise BadBundle(f"{folder} is not a bundle of `replicate export onnx` ({brief(error)})") from error
    wrong = [name for name, digest in sums.items() if found.get(name) != digest]
    if wrong:
        raise BadBundle(f"{folder} was changed after the export ({listed(wrong)} changed or missing): export again")
    if MODEL not in sums:
        raise BadBundle(f"{folder} is not a bundle of `replicate export onnx`: {CHECKSUMS} does not list {MODEL}")
    for name in (INT8, STREAM, WAV, WAV_STREAM):
        if name not in sums and (folder / name).exists():
            raise BadBundle(f"{folder} was changed after the export ({CHECKSUMS} does not list {name}): export again")
    return sums


def read_limited(path: Path, most: int) -> bytes:
    """Read a file whose size is not known to be small.

    Raises:
        ValueError: it has more than ``most`` bytes, or is no file, such as a pipe. OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"it has no file {path.name}")
    size = path.stat().st_size
    with path.open("rb") as file:
        content = file.read(size + 1) if size <= most else b""
    if len(content) != size:
        raise ValueError(f"{path.name} has more than {most >> 20} MiB, or is being written")
    return content


def _checksums(folder: Path) -> dict[str, str]:
    """Read ``checksums.json``, whose own hash nobody knows: its size is limited."""
    path = folder / CHECKSUMS
    if path.is_symlink():
        raise ValueError(f"{CHECKSUMS} is a link")
    sums = parse_json(read_limited(path, MAX_CHECKSUMS).decode("utf-8"), _once)
    if not isinstance(sums, dict) or not sums:
        raise ValueError(f"{CHECKSUMS} is no list of files")
    for name, digest in sums.items():
        if (
            not name.isprintable()
            or set(name) & set("\\:")
            or {"", ".", ".."} & set(name.split("/"))
            or len(name) > 500
        ):
            raise ValueError(f"{CHECKSUMS} names {shown(name)}, which is no file of a bundle")
        if not (isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)):
            raise ValueError(f"{CHECKSUMS} has {shown(digest)} for {shown(name)}, which is no SHA-256")
    return sums


def _inside(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return the paths of the listed files that are there, in the folder and not behind a link out of it."""
    root, found, total = os.path.realpath(folder), {}, 0
    inside = f"{root.rstrip(os.sep)}{os.sep}"
    for name in names:
        real = os.path.realpath(inside + name)  # three times as fast as Path.resolve, which is felt with many files
        path = Path(real)
        if real.startswith(inside) and path.is_file():
            found[name] = path
            total += path.stat().st_size
    if total > MAX_BUNDLE:
        raise ValueError(f"its files have more than {MAX_BUNDLE >> 20} MiB")
    return found


def _sha256(path: Path, buffer: memoryview) -> str:
    digest = hashlib.sha256()
    left = MAX_BUNDLE  # the file may grow while it is read
    with path.open("rb", buffering=0) as file:
        while (size := file.readinto(buffer)) and left > 0:
            digest.update(buffer[:size])
            left -= size
    return digest.hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it names a file twice")
    return found


def parse_json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse JSON without NaN and infinity.

    Args:
        pairs: makes an object of its keys and values, instead of ``dict``.

    Raises:
        ValueError, RecursionError: it is none.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)
