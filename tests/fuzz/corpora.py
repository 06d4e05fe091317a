"""Corpora that are changed: pickles of the COGMEN release, corpus files, and the CSV files of CMU-MOSI and RAVDESS."""

from __future__ import annotations

import io
import pickle
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from replicate.errors import ReplicateError
from tests.fuzz import archives, pickles
from tests.fuzz.commands import call
from tests.fuzz.fields import of_fields
from tests.fuzz.harness import Reader, register
from tests.fuzz.mutations import odd_value


def _load(path: Path) -> None:
    """Load a corpus as every command does; what is accepted can be described, written, and read again."""
    from replicate.cli import data
    from replicate.corpus import archive, load

    found = load(path)
    call(data.commands["info"], corpus=str(path), data_dir=None)
    copy = path.with_name("copy.npz")
    archive.write(found, copy)
    assert load(copy).hash == found.hash


@register("pickle")
def features() -> Reader:
    """Features of COGMEN's release."""
    return Reader("pickle", _pickles, _load, _changed_pickle, (ReplicateError,), ".pkl", ("*.pkl",))


def _pickles() -> Sequence[bytes]:
    return [pickle.dumps(_release(), protocol) for protocol in (2, 4, 5)]


def _release() -> tuple[Any, ...]:
    """Return what a pickle of the release holds."""
    draws = np.random.default_rng(0)
    fields: list[Any] = [{} for _ in range(7)]
    names = [f"d{i}" for i in range(4)]
    for name in names:
        vectors = [[draws.standard_normal(width).astype(np.float32) for _ in range(2)] for width in (3, 4, 5)]
        entry = ([f"{name}_{i}" for i in range(2)], ["M", "F"], [0, np.int64(3)], *vectors, ["a", "b"])
        for values, value in zip(fields, entry, strict=True):
            values[name] = value
    return (*fields, names[:3], {names[3]})


def _changed_pickle(content: bytes, draws: random.Random) -> bytes:
    """Change opcodes or bytes; or begin anew, and put objects into a release that do not belong there."""
    if draws.random() < 0.7:
        return pickles.of_pickle(content, draws)
    made: Any = _release()
    for _ in range(draws.choice((1, 1, 2, 3))):
        made = _with_odd_object(made, draws)
    return pickle.dumps(made, draws.choice((2, 4, 5)))


def _with_odd_object(value: Any, draws: random.Random) -> Any:
    if not isinstance(value, (dict, list, tuple)) or not value or draws.random() < 0.05:
        return draws.choice(
            (*archives.ODD_ARRAYS, *_OBJECTS, odd_value(0, draws), odd_value("a", draws), [value], (value,))
        )
    if isinstance(value, dict):
        key = draws.choice(list(value))
        if draws.random() < 0.1:
            return {draws.choice(_KEYS): value[key]} | {name: inner for name, inner in value.items() if name != key}
        return value | {key: _with_odd_object(value[key], draws)}
    i = draws.randrange(len(value))
    inner = (
        draws.choice(([], [value[i]] * draws.choice((2, 500))))
        if draws.random() < 0.1
        else [_with_odd_object(value[i], draws)]
    )
    return type(value)((*value[:i], *inner, *value[i + 1 :]))


_KEYS = (
    "",
    "d1",
    "\x1b[31m",
    "a" * 5000,
    b"d1",
    0,
    -1,
    2**70,
    1.5,
    None,
    True,
    ("d0",),
    np.int64(0),
    np.str_("d0"),
    float("nan"),
)
_OBJECTS = (
    *(
        1j,
        b"ab",
        bytearray(b"ab"),
        {1, 2},
        frozenset("ab"),
        ...,
        range(9),
        slice(3),
        np.float32,
        np.dtype("O"),
        np.str_("a"),
    ),
    *(
        np.bool_(True),
        np.float64("nan"),
        np.float64(1),
        np.uint64(2**64 - 1),
        np.datetime64("2020"),
        10**4000,
        -(10**30),
    ),
    *(
        np.array(["a", None], object),
        np.ma.masked_array([1, 2]),
        np.arange(6).reshape(2, 3)[:, ::2],
    ),
)


@register("npz")
def corpora() -> Reader:
    """Corpus files."""
    return Reader("npz", _corpora, _load, archives.of_npz, (ReplicateError,), ".npz", ("*.npz",))


def _corpora() -> Sequence[bytes]:
    from replicate.corpus import archive
    from replicate.corpus.types import SPLITS, Corpus, Dialogue

    dialogues = tuple(
        Dialogue(split, np.array([0, 1]), np.array([1, 0]), {"audio": np.ones((2, 3), np.float32)}, split, ("a", "b"))
        for split in SPLITS
    )
    made = Corpus("small", ("no", "yes"), dialogues, notes=("a note",), recipes={"audio": {"columns": ["x", "y", "z"]}})
    with tempfile.TemporaryDirectory() as folder:
        archive.write(made, Path(folder) / "a.npz")
        found = (Path(folder) / "a.npz").read_bytes()
    with np.load(io.BytesIO(found)) as arrays:
        plain = io.BytesIO()
        np.savez(plain, **dict(arrays))
    return [found, plain.getvalue()]


def _folder(made: Path, name: str) -> Callable[[Path], None]:
    """Return a function that loads a folder in which one file is another."""

    def read(path: Path) -> None:
        folder = path.parent / "folder"
        shutil.copytree(made, folder, dirs_exist_ok=True)
        shutil.copyfile(path, folder / name)
        _load(folder)

    return read


@register("mosi")
def mosi() -> Reader:
    """Transcripts of CMU-MOSI."""
    from tests.corpus.readers import test_mosi

    folder = Path(tempfile.mkdtemp(prefix="replicate-fuzz-mosi-"))
    test_mosi.write_small(folder)
    seed = (folder / "transcripts.csv").read_bytes()
    read = _folder(folder, "transcripts.csv")
    return Reader("mosi", lambda: [seed], read, of_fields, (ReplicateError,), ".csv")


@register("ravdess")
def ravdess() -> Reader:
    """Audio features of RAVDESS."""
    from replicate.corpus.readers.ravdess import AUDIO
    from tests.corpus.readers import test_ravdess

    folder = Path(tempfile.mkdtemp(prefix="replicate-fuzz-ravdess-"))
    test_ravdess.write(
        folder, test_ravdess.made([f"0{e}-01-01-01-{actor}" for actor in ("01", "16", "19") for e in (1, 2)])
    )
    seed = (folder / AUDIO).read_bytes()
    return Reader("ravdess", lambda: [seed], _folder(folder, AUDIO), of_fields, (ReplicateError,), ".csv")
