"""The corpus file format: one ``.npz`` without pickles, with the utterances of all dialogues one after the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate import file_kinds, npz
from replicate.corpus.finite import keep_first
from replicate.corpus.texts import check_numbers, check_recipes, check_texts
from replicate.corpus.types import Corpus, Dialogue, naming_file
from replicate.errors import CannotWrite, LengthMismatch, NotThisFormat, ReplicateError
from replicate.files import atomic_path, from_os_error
from replicate.limits import too_little_memory
from replicate.records import parse_json

FORMAT = "bridging-modalities corpus 1"
_STREAM = "stream/"
# key -> (kinds of dtype, number of dimensions)
_KEYS = {
    "format": ("U", 0),
    "name": ("U", 0),
    "labels": ("U", 1),
    "speakers": ("U", 1),
    "standardise": ("b", 0),
    "dialogue": ("U", 1),
    "split": ("U", 1),
    "length": ("iu", 1),
    "speaker": ("iu", 1),
    "label": ("iu", 1),
}
# Optional keys: names of the utterances, how the streams were extracted, what the corpus is a control of, and notes.
_OPTIONAL = {"utterance": ("U", 1), "recipes": ("U", 0), "control": ("U", 0), "notes": ("U", 1)}
# Bytes that Python's objects take: a name, a dialogue, and an array of a dialogue.
_NAME, _DIALOGUE, _SLICE = 72, 1000, 200
_LONGEST_NAME = 100
# kinds of dtype -> in words, and the dtype to save them with
_KINDS = {"U": ("text", "str"), "b": ("true or false", "bool"), "iu": ("integers", "int"), "f": ("floats", "float")}


def write(corpus: Corpus, path: Path) -> None:
    """Write a corpus to ``path`` atomically; the same corpus gives the same bytes.

    Raises:
        BadName: see ``check_texts``. DiskFull, CannotWrite: ``path`` cannot be written, or numpy cannot represent a
            name.
    """
    dialogues = check_texts(corpus).dialogues
    arrays: dict[str, Any] = {
        "format": np.array(FORMAT),
        "name": _text([corpus.name])[0],
        "labels": _text(corpus.labels),
        "speakers": _text(corpus.speakers),
        "notes": _text(corpus.notes),
        "standardise": np.array(corpus.standardise),
        "dialogue": _text([dialogue.id for dialogue in dialogues]),
        "split": _text([dialogue.split for dialogue in dialogues]),
        "length": np.array([len(dialogue) for dialogue in dialogues], np.int64),
        "speaker": np.concatenate([dialogue.speakers for dialogue in dialogues]),
        "label": np.concatenate([dialogue.labels for dialogue in dialogues]),
    }
    if all(dialogue.utterances for dialogue in dialogues):
        arrays["utterance"] = _text([name for dialogue in dialogues for name in dialogue.utterances])
    if corpus.recipes:
        arrays["recipes"] = np.array(json.dumps(corpus.recipes, sort_keys=True))
    if corpus.control:
        arrays["control"] = np.array(corpus.control)
    for stream in corpus.widths:
        arrays[_STREAM + stream] = np.concatenate([dialogue.features[stream] for dialogue in dialogues])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read(path: Path) -> Corpus:
    """Read a corpus file; the corpus is never marked as published, since anybody can write such a file.

    That it is a control is taken from the file: it only withholds published numbers and verdicts.

    Raises:
        NotThisFormat, LengthMismatch: the file is not in this format, or its arrays contradict each other.
        TooLarge: it unpacks to more than ``npz.BASE`` and ``npz.TIMES`` its size. TooLittleMemory: for this machine.
        EmptyDialogue, NonFinite, OutOfRange, SplitOverlap, WrongWidth: naming file and dialogue.
    """
    arrays = _arrays(path)
    lengths = arrays["length"].astype(np.int64)
    ids, splits = arrays["dialogue"].tolist(), arrays["split"].tolist()
    if not len(ids) == len(splits) == len(lengths):
        raise LengthMismatch(
            f"{path}: 'dialogue' has {len(ids)} values, 'split' {len(splits)} and 'length' {len(lengths)}: save one "
            "value per dialogue in each"
        )
    if (lengths < 0).any():
        raise NotThisFormat(
            f"{path}: 'length' of dialogue {ids[int(lengths.argmin())]} is {lengths.min()}: save its number of "
            "utterances"
        )
    n = sum(lengths.tolist())  # Python's integers do not wrap around
    streams = [key for key in arrays if key.startswith(_STREAM)]
    names = arrays["utterance"].tolist() if "utterance" in arrays else []
    for key in ("speaker", "label", *(["utterance"] if names else []), *streams):
        if len(arrays[key]) != n:
            raise LengthMismatch(
                f"{path}: '{key}' has {len(arrays[key])} rows, but the lengths add up to {n} utterances: save one row "
                "per utterance, or correct 'length'"
            )
    bounds = np.cumsum([0, *lengths])
    dialogues = tuple(
        Dialogue(
            ids[i],
            arrays["speaker"][start:stop].astype(np.int64),
            arrays["label"][start:stop].astype(np.int64),
            {key[len(_STREAM) :]: arrays[key][start:stop] for key in streams},
            splits[i],
            tuple(names[start:stop]),
        )
        for i, (start, stop) in enumerate(pairwise(bounds.tolist()))
    )
    with naming_file(path):
        return Corpus(
            str(arrays["name"]),
            tuple(arrays["labels"].tolist()),
            dialogues,
            tuple(arrays["speakers"].tolist()),
            standardise=bool(arrays["standardise"]),
            control=arrays["control"].item() if "control" in arrays else "",
            notes=tuple(arrays["notes"].tolist()),
            recipes=_recipes(arrays),
        )


def _recipes(arrays: dict[str, NDArray[Any]]) -> dict[str, dict[str, Any]]:
    try:
        recipes = parse_json(str(arrays["recipes"])) if "recipes" in arrays else {}
    except ValueError:
        recipes = None
    if not isinstance(recipes, dict) or not all(isinstance(recipe, dict) for recipe in recipes.values()):
        raise NotThisFormat("'recipes' is not JSON with an object per stream: extract the features again")
    check_recipes(recipes, "'recipes'")
    return recipes


def _text(values: Sequence[str]) -> NDArray[np.str_]:
    array = np.array(values, dtype=np.str_)
    if array.tolist() != list(values):
        # numpy drops zero characters at the end of strings
        raise CannotWrite("cannot write a name that ends in a zero character: rename it")
    return array


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays that a corpus has, after their types and sizes were checked, and convert streams to float32."""
    try:
        budget = npz.budget(path, "save it without compression if it is what you mean")
        with npz.open_npz(path) as archive:
            heads = {key: archive.head(key) for key in archive if key in _KEYS or key in _OPTIONAL or _is_stream(key)}
            form = heads.get("format")
            marked = form is not None and form.dtype.kind == "U" and form.shape == () and form.size <= 4 * _LONGEST_NAME
            if not marked or str(archive.read("format", heads["format"])) != FORMAT:
                raise NotThisFormat(
                    f"{path} is an .npz, but not marked as '{FORMAT}': make one with `replicate data convert`; in a "
                    "file written by hand, save this text under the key 'format'"
                )
            _check_kinds(heads, path)
            numbers = {"classes": heads["labels"].entries, "speakers": heads["speakers"].entries}
            check_numbers(numbers | {"streams": sum(map(_is_stream, heads))}, str(path))
            budget.take(_memory(heads))
            arrays = {key: _converted(key, archive.read(key, head)) for key, head in heads.items()}
    except ReplicateError:
        raise
    except OSError as error:
        raise from_os_error(error, path) from error
    except MemoryError as error:
        raise too_little_memory(path) from error
    except Exception as error:  # zip, zlib and numpy each raise their own on a damaged file
        other = file_kinds.explain_file(path, zip_expected=True)
        what = f"is not a corpus file, or is truncated ({npz.reason(error)}): make one with `replicate data convert`"
        raise NotThisFormat(f"{path} {other or what}") from error
    for key, array in arrays.items():
        if array.dtype.kind == "U" and not npz.is_text(array):
            raise NotThisFormat(f"{path}: '{key[:_LONGEST_NAME]}' holds characters that do not exist: save text")
    arrays.setdefault("notes", np.array([], np.str_))  # files made by hand rarely have any
    return arrays


def _is_stream(key: str) -> bool:
    return key.startswith(_STREAM)


def _check_kinds(heads: dict[str, npz.Head], path: Path) -> None:
    """Check names, types and dimensions of the arrays of a file."""
    streams = {key: ("f", 2) for key in heads if _is_stream(key)}
    if not streams:
        raise NotThisFormat(f"{path} has no feature stream: save an array such as '{_STREAM}audio'")
    optional = {key: kind for key, kind in _OPTIONAL.items() if key in heads}
    for key, (kind, dimensions) in {**_KEYS, **optional, **streams}.items():
        name = key[:_LONGEST_NAME]
        if key not in heads:
            raise NotThisFormat(f"{path}: '{name}' is missing: add it, or convert the source again")
        if key in streams and heads[key].shape[1:] == (0,):
            raise NotThisFormat(f"{path}: '{name}' has no column: save its features, or leave it out")
        words, dtype = _KINDS[kind]
        remedy = f"np.array(..., dtype={dtype})"
        head = heads[key]
        if head.dtype.hasobject:
            raise NotThisFormat(f"{path}: '{name}' holds Python objects: save it as {words}, {remedy}")
        if head.dtype.kind not in kind or len(head.shape) != dimensions:
            plural = "" if dimensions == 1 else "s"
            raise NotThisFormat(
                f"{path}: '{name}' is {str(head.dtype)[:40]} of shape {head.shape}, not {words} with {dimensions} "
                f"dimension{plural}: save it as such, {remedy}"
            )


def _memory(heads: dict[str, npz.Head]) -> int:
    """Return the bytes that a corpus with these arrays takes."""
    text = sum(_NAME * head.entries for head in heads.values() if head.dtype.kind == "U")
    dialogues = heads["length"].entries * (_DIALOGUE + _SLICE * len(heads))
    # Other types are converted to float32 or int64, one array after the other.
    converted = sum(8 * head.entries for key, head in heads.items() if head.dtype.kind in "iu")
    converted += sum(4 * head.entries for head in heads.values() if head.dtype.kind == "f" and head.dtype != np.float32)
    return sum(head.size for head in heads.values()) + text + dialogues + converted


def _converted(key: str, array: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # becomes an infinity, which Corpus refuses
        return keep_first(array.astype(np.float32, copy=False)) if _is_stream(key) else array
