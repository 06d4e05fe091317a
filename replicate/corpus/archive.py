"""The corpus file format: one ``.npz`` without pickles, with the utterances of all dialogues one after the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.types import Corpus, Dialogue, naming_file
from replicate.errors import CannotWrite, LengthMismatch, NotThisFormat
from replicate.files import atomic_path, from_os_error

FORMAT = "bridging-modalities corpus 1"
_STREAM = "stream/"
# key -> (kinds of dtype, number of dimensions)
_KEYS = {
    "format": ("U", 0),
    "name": ("U", 0),
    "labels": ("U", 1),
    "speakers": ("U", 1),
    "notes": ("U", 1),
    "standardise": ("b", 0),
    "dialogue": ("U", 1),
    "split": ("U", 1),
    "length": ("iu", 1),
    "speaker": ("iu", 1),
    "label": ("iu", 1),
}
# Optional keys: names of the utterances, how the streams were extracted, and what the corpus is a control of.
_OPTIONAL = {"utterance": ("U", 1), "recipes": ("U", 0), "control": ("U", 0)}
# kinds of dtype -> in words, and the dtype to save them with
_KINDS = {"U": ("text", "str"), "b": ("true or false", "bool"), "iu": ("integers", "int"), "f": ("floats", "float")}


def write(corpus: Corpus, path: Path) -> None:
    """Write a corpus to ``path`` atomically; the same corpus gives the same bytes.

    Raises:
        DiskFull, CannotWrite: ``path`` cannot be written, or numpy cannot represent a name.
    """
    dialogues = corpus.dialogues
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
            recipes=_recipes(arrays, path),
        )


def _recipes(arrays: dict[str, NDArray[Any]], path: Path) -> dict[str, dict[str, Any]]:
    try:
        recipes = json.loads(str(arrays["recipes"])) if "recipes" in arrays else {}
    except (ValueError, RecursionError):
        recipes = None
    if not isinstance(recipes, dict) or not all(isinstance(recipe, dict) for recipe in recipes.values()):
        raise NotThisFormat(f"{path}: 'recipes' is not JSON with an object per stream: extract the features again")
    return recipes


def _text(values: Sequence[str]) -> NDArray[np.str_]:
    array = np.array(values, dtype=np.str_)
    if array.tolist() != list(values):
        # numpy drops zero characters at the end of strings
        raise CannotWrite("cannot write a name that ends in a zero character: rename it")
    return array


def _array(archive: Any, key: str) -> NDArray[Any]:
    """Return an array of an open .npz, or an empty array of objects in place of one that holds Python objects."""
    try:
        array: NDArray[Any] = archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        return np.array([], object)
    return array


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file, check their types, and convert streams to float32."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise from_os_error(error, path) from error
    try:
        with file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: _array(archive, key) for key in archive.files}
    except Exception as error:  # zip, zlib, tokenizer and numpy each raise their own on a damaged file
        raise NotThisFormat(
            f"{path} is not a corpus file, or is truncated ({type(error).__name__}): make one with "
            "`replicate data convert`"
        ) from error
    if "format" not in arrays or str(arrays["format"]) != FORMAT:
        raise NotThisFormat(
            f"{path} is an .npz, but not marked as '{FORMAT}': make one with `replicate data convert`; in a file "
            "written by hand, save this text under the key 'format'"
        )
    arrays.setdefault("notes", np.array([], np.str_))  # files made by hand rarely have any
    streams = {key: ("f", 2) for key in arrays if key.startswith(_STREAM)}
    kinds = {**_KEYS, **{key: kind for key, kind in _OPTIONAL.items() if key in arrays}, **streams}
    if not streams:
        raise NotThisFormat(f"{path} has no feature stream: save an array such as '{_STREAM}audio'")
    for key, (kind, dimensions) in kinds.items():
        if key not in arrays:
            raise NotThisFormat(f"{path}: '{key}' is missing: add it, or convert the source again")
        words, dtype = _KINDS[kind]
        remedy = f"np.array(..., dtype={dtype})"
        if arrays[key].dtype == object:
            raise NotThisFormat(f"{path}: '{key}' holds Python objects: save it as {words}, {remedy}")
        if arrays[key].dtype.kind not in kind or arrays[key].ndim != dimensions:
            plural = "" if dimensions == 1 else "s"
            raise NotThisFormat(
                f"{path}: '{key}' is {arrays[key].dtype} of shape {arrays[key].shape}, not {words} with {dimensions} "
                f"dimension{plural}: save it as such, {remedy}"
            )
    with np.errstate(over="ignore"):  # becomes an infinity, which Corpus refuses
        return {
            key: array.astype(np.float32, copy=False) if key.startswith(_STREAM) else array
            for key, array in arrays.items()
        }
