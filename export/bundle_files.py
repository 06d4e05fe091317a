"""Check the files of a bundle against its checksums, and the metadata of a model: type and range of every entry.

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
MAX_CHECKSUMS, MAX_METADATA, MAX_MODEL, MAX_BUNDLE = 1 << 20, 1 << 23, 1 << 26, 1 << 29
# Bytes of a file that are in memory while it is hashed.
PIECE = 1 << 18
MAX_NAMES = 10_000
# Numbers in the state of a stream.
MAX_STATE = 1 << 24
# Longest window of a speech encoder.
MAX_WINDOW = 86_400


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
    sums = _json(read_limited(path, MAX_CHECKSUMS).decode("utf-8"), _once)
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


def _json(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse JSON without NaN and infinity.

    Args:
        pairs: makes an object of its keys and values, instead of ``dict``.

    Raises:
        ValueError, RecursionError: it is none.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)


def check_metadata(found: dict[str, str], stream: bool) -> dict[str, Any]:
    """Parse an exported file's metadata and check type and range of every entry that is used.

    Args:
        stream: the file must be one that predicts utterance by utterance.

    Raises:
        ValueError: an entry is missing or is not what its name promises; names it.
    """
    if sum(map(len, found.values())) > MAX_METADATA:
        raise ValueError(f"its metadata have more than {MAX_METADATA >> 20} MiB")
    metadata = {}
    for key, value in found.items():
        if key != "format":
            try:
                metadata[key] = _json(value)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"its metadata {shown(key)} are no JSON: {brief(error)}") from error
    for key, (good, what) in (_ENTRIES | _STREAM_ENTRIES if stream else _ENTRIES).items():
        if key not in metadata:
            raise ValueError(f"its metadata lack {key}")
        if not good(metadata[key]):
            raise ValueError(f"its {key} are not {what}: {shown(metadata[key])}")
    _check_widths(metadata)
    return metadata


def _check_widths(metadata: dict[str, Any]) -> None:
    """Check that the entries on feature streams fit each other."""
    audio, widths = metadata["audio_stream"], metadata["widths"]
    streams = set(metadata["streams"])
    if audio not in streams or set(widths) != streams or set(metadata["absent_streams"]) != streams - {audio}:
        raise ValueError("its streams, audio_stream, absent_streams and widths name different streams")
    scale = metadata["standardisation"]
    if set(scale) != {audio} or any(len(scale[audio][name]) != widths[audio] for name in ("mean", "deviation")):
        raise ValueError("its standardisation is not one of the audio stream")


def _is_short(value: object) -> bool:
    """Whether a value is a text that a recipe may hold: any letters, because it is escaped where it is shown."""
    return type(value) is str and len(value) <= 1000 and bool(value.strip())


def _is_name(value: object) -> bool:
    return _is_short(value) and str(value).isprintable()


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # type: ignore[arg-type]


def _are_names(value: object, least: int = 1) -> bool:
    """Whether a value is a list of different names, as those of classes, speakers and streams are."""
    return (
        type(value) is list
        and least <= len(value) <= MAX_NAMES
        and all(map(_is_name, value))
        and len(set(value)) == len(value)
    )


def _is_count(value: object, least: int = 0, most: int = 1 << 31) -> bool:
    return type(value) is int and least <= value <= most


def _is_scale(value: object) -> bool:
    return (
        type(value) is dict
        and {"mean", "deviation"} <= set(value)
        and all(type(numbers) is list and all(map(_is_number, numbers)) for numbers in value.values())
        and all(number > 0 for number in value["deviation"])
    )


def _is_recipe(value: object) -> bool:
    """Whether a value is a recipe of features: texts and numbers by name, and lists and dictionaries of these."""
    return value is None or (
        type(value) is dict
        and all(_is_short(key) and _is_plain(one) for key, one in value.items())
        and all(good(value[key]) for key, good in _RECIPE.items() if key in value)
    )


def _is_plain(value: object, depth: int = 4) -> bool:
    if type(value) in (list, dict):
        contents = value if type(value) is list else value.values()  # type: ignore[attr-defined]
        return depth > 0 and all(_is_plain(one, depth - 1) for one in contents)
    return value is None or type(value) in (str, bool) or _is_number(value)


def _is_versions(value: object) -> bool:
    return type(value) is dict and all(_is_short(key) and _is_short(one) for key, one in value.items())


def _is_layer(value: object) -> bool:
    return _is_short(value) or _is_count(value)


_RECIPE: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("extractor", "type", "set", "model", "parameters"), _is_short),
    "layer": _is_layer,
    "columns": _are_names,
    "weights": lambda value: type(value) is list and all(map(_is_number, value)),
    "chunk_seconds": lambda value: _is_number(value) and 0 < value <= MAX_WINDOW,
    "versions": _is_versions,
}
_Entry = tuple[Callable[[Any], bool], str]
_ENTRIES: dict[str, _Entry] = {
    "labels": (_are_names, "a list of different names"),
    "speakers": (_are_names, "a list of different names"),
    "streams": (_are_names, "a list of different names"),
    "audio_stream": (_is_name, "a name"),
    "absent_streams": (lambda value: _are_names(value, 0), "a list of different names"),
    "widths": (
        lambda value: type(value) is dict and all(_is_count(one, 1, 1 << 24) for one in value.values()),
        "numbers of columns",
    ),
    "standardisation": (
        lambda value: type(value) is dict and all(map(_is_scale, value.values())),
        "a finite mean and a deviation above 0 for each column",
    ),
    "recipe": (_is_recipe, "a recipe of features, or null"),
    "window": (
        lambda value: type(value) is list and len(value) == 2 and all(map(_is_count, value)),
        "two numbers of utterances",
    ),
    "arm": (_is_name, "a name"),
    "protocol": (_is_name, "a name"),
    "seed": (lambda value: _is_count(value, -(1 << 64), 1 << 64), "a whole number"),
    "corpus": (
        lambda value: type(value) is dict and {"name", "hash"} <= set(value) and all(map(_is_name, value.values())),
        "a name and a hash",
    ),
    "run": (_is_name, "the key of a run"),
    "versions": (_is_versions, "names and versions"),
}
_STREAM_ENTRIES: dict[str, _Entry] = {
    "memory": (lambda value: _is_count(value, 1), "a number of utterances"),
    "state": (lambda value: _is_count(value, 1, MAX_STATE), f"a number up to {MAX_STATE}"),
}
