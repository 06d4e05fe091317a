"""Check the metadata of a model file: type and range of every entry.

``predict.py`` of every bundle contains this module.
"""

import re
from collections.abc import Callable
from typing import Any

from export.bundle_files import parse_json
from export.graph_check import brief, shown

# In bytes; no exported file comes near it.
MAX_METADATA = 1 << 23
MAX_NAMES = 10_000
# Of a range of features.
MAX_RANGE_AXES = 64
# Numbers in the state of a stream.
MAX_STATE = 1 << 24
# Longest window of a speech encoder.
MAX_WINDOW = 86_400


def check_metadata(found: dict[str, str], stream: bool) -> dict[str, Any]:
    """Parse an exported file's metadata and check type and range of every entry that is used.

    Args:
        stream: the file must be one that predicts utterance by utterance.

    Raises:
        ValueError: an entry is missing or is not what its name promises; names it.
    """
    if sum(map(len, found.values())) > MAX_METADATA:
        raise ValueError(f"its metadata have more than {MAX_METADATA >> 20} MiB")
    metadata = {key: _entry(key, value) for key, value in found.items() if key not in ("format", *FITTED)}
    metadata |= check_fitted(found)
    for key, (good, what) in (_ENTRIES | _STREAM_ENTRIES if stream else _ENTRIES).items():
        if key not in metadata:
            raise ValueError(f"its metadata lack {key}")
        if not good(metadata[key]):
            raise ValueError(f"its {key} are not {what}: {shown(metadata[key])}")
    _check_widths(metadata)
    return metadata


def check_fitted(found: dict[str, str]) -> dict[str, Any]:
    """Parse and check the entries of ``FITTED``, with their defaults for files of earlier versions, which lack them.

    Raises:
        ValueError: an entry is not what its name promises; names it.
    """
    metadata = {}
    for key, (good, what, default) in FITTED.items():
        metadata[key] = _entry(key, found[key]) if key in found else default
        if not good(metadata[key]):
            raise ValueError(f"its {key} is not {what}: {shown(metadata[key])}")
    return metadata


def _entry(key: str, text: str) -> Any:
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its metadata {shown(key)} are no JSON: {brief(error)}") from error


def _check_widths(metadata: dict[str, Any]) -> None:
    """Check that the entries on feature streams fit each other."""
    audio, widths = metadata["audio_stream"], metadata["widths"]
    streams = set(metadata["streams"])
    if audio not in streams or set(widths) != streams or set(metadata["absent_streams"]) != streams - {audio}:
        raise ValueError("its streams, audio_stream, absent_streams and widths name different streams")
    scale = metadata["standardisation"]
    size = metadata["range"]
    if size is not None and len(size["centre"]) != widths[audio]:
        raise ValueError("its range is not one of the audio stream")
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


def _is_range(value: object) -> bool:
    """Whether a value describes the range of the features of a training, or is None; see ``export.distance``."""
    if value is None:
        return True
    if type(value) is not dict or set(value) != {"centre", "scale", "residual", "axes", "limits"}:
        return False
    rows, axes, limits = [value[name] for name in ("centre", "scale", "residual")], value["axes"], value["limits"]
    if not all(type(row) is list and len(row) == len(rows[0]) and all(map(_is_number, row)) for row in rows):
        return False
    return (
        bool(rows[0])
        and all(number > 1e-300 for row in rows[1:] for number in row)
        and type(axes) is list
        and len(axes) <= MAX_RANGE_AXES
        and all(type(axis) is list and len(axis) == len(rows[0]) for axis in axes)
        and all(type(one) is int and abs(one) <= 1 << 20 for axis in axes for one in axis)
        and type(limits) is dict
        and 1 <= len(limits) <= MAX_RANGE_AXES
        and all(re.fullmatch("[1-9][0-9]{0,3}", size) for size in limits)
        and all(type(two) is list and len(two) == 2 and all(map(_is_number, two)) for two in limits.values())
        and all(two[0] > 1e-300 and two[1] >= 0 for two in limits.values())
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
# What the exporter fits to the corpus. Earlier versions wrote none of it: each entry has a default.
FITTED: dict[str, tuple[Callable[[Any], bool], str, Any]] = {
    "temperature": (lambda value: _is_number(value) and 0.01 <= value <= 100, "a number from 0.01 to 100", 1.0),
    "range": (_is_range, "a range of features, or null", None),
}
_STREAM_ENTRIES: dict[str, _Entry] = {
    "memory": (lambda value: _is_count(value, 1), "a number of utterances"),
    "state": (lambda value: _is_count(value, 1, MAX_STATE), f"a number up to {MAX_STATE}"),
}
