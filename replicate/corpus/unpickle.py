"""A safe unpickler: it loads numbers, text, containers, arrays and one class, and refuses every other name.

A pickle is a program that imports functions and calls them. Here every allowed name maps to a checked replacement and
never to the function itself; numpy's own functions are replaced too, since they trust the memory layout that a pickle
claims. The base class is Python's unpickler written in Python: the one written in C skips ``find_class`` for cached
extension codes, and its BUILD opcode could modify the replacements.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from replicate.errors import NotThisFormat, ReplicateError, UnsafePickle
from replicate.files import from_os_error

# Numbers, text and objects; no structured types, no dates. The byte order is in the dtype's state.
_NUMBERS = re.compile(r"[<>|=]?([biufc](?:1|2|4|8|16)|[SU][1-9]\d{0,6})")
_OBJECTS = re.compile(r"[<>|=]?O[48]?")


class Sample:
    """One dialogue of COGMEN's preprocessed features: a class with fields and no methods."""

    __slots__ = ("fields",)
    fields: dict[str, Any]

    def __new__(cls) -> Sample:
        """Create an empty Sample; the pickle sets its fields later."""
        sample = super().__new__(cls)
        sample.fields = {}
        return sample


class _Dtype:
    """Replacement for ``numpy.dtype`` whose byte order is set later."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


_NDARRAY = object()


def _dtype(spec: str, align: object = False, copy: object = False) -> _Dtype:
    if isinstance(spec, str) and _OBJECTS.fullmatch(spec):
        return _Dtype(np.dtype(object))
    found = _NUMBERS.fullmatch(spec) if isinstance(spec, str) else None
    if not found:
        raise ValueError(f"dtype {str(spec)[:40]!r} is not numbers, text or objects")
    return _Dtype(np.dtype(found[1]))


def _reconstruct(kind: object, shape: object, code: object) -> NDArray[Any]:
    """Return an empty array, which ``_fill`` fills later; shape and code of the pickle only describe an empty array."""
    if kind is not _NDARRAY:
        raise ValueError("an array of a class other than ndarray")
    return np.empty(0, np.int8)


def _scalar(dtype: _Dtype, raw: bytes | str) -> Any:
    data = _bytes(raw)
    if not isinstance(dtype, _Dtype) or dtype.dtype.hasobject or len(data) != dtype.dtype.itemsize:
        raise ValueError("a number whose bytes do not fit its dtype")
    return np.frombuffer(data, dtype.dtype)[0]


def _frombuffer(buffer: bytes, dtype: _Dtype, shape: Any, order: str, axes: object = None) -> NDArray[Any]:
    """Return an array as protocol 5 pickles it."""
    if not isinstance(dtype, _Dtype) or dtype.dtype.hasobject or axes is not None:
        raise ValueError("an array whose memory is not described by dtype, shape and order")
    return np.frombuffer(bytes(_bytes(buffer)), dtype.dtype).reshape(_shape(shape), order=_order(order))


def _latin1(text: str, encoding: str) -> bytes:
    """Replacement for ``_codecs.encode``, which protocol 2 uses for bytes written as text, and for nothing else."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in an encoding other than latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Replacement for ``bytes``, which protocol 2 calls without arguments for empty bytes."""
    return b""


def _bytes(raw: object) -> bytes | bytearray:
    if isinstance(raw, str):
        return raw.encode("latin1")  # a str of Python 2
    if not isinstance(raw, (bytes, bytearray)):
        raise ValueError("an array without bytes")
    return raw


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array whose shape is not a tuple of sizes")
    return shape


def _order(order: object) -> Any:
    if order not in ("C", "F"):
        raise ValueError("an array in an unknown memory order")
    return order


def _fill(array: NDArray[Any], state: object) -> None:
    """Call ``ndarray.__setstate__`` after checking that shape, dtype and amount of data agree."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
        raise ValueError("an array whose state is not version, shape, dtype, order and data")
    _, shape, replacement, fortran, raw = state
    shape, dtype = _shape(shape), replacement.dtype
    if dtype.hasobject:
        if not isinstance(raw, list) or len(raw) != math.prod(shape):
            raise ValueError("an array of objects whose list does not fill its shape")
        data: Any = list(raw)
    else:
        data = bytes(_bytes(raw))
        if len(data) != dtype.itemsize * math.prod(shape):
            raise ValueError(f"an array of shape {shape} and dtype {dtype} with {len(data)} bytes")
    array.__setstate__((1, shape, dtype, bool(fortran), data))  # type: ignore[arg-type]


def _set_order(dtype: _Dtype, state: object) -> None:
    """Set a dtype's byte order; other flags of the state are ignored, since they could make bytes into pointers."""
    if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
        raise ValueError("a dtype whose state has no byte order")
    dtype.dtype = dtype.dtype.newbyteorder(state[1])


def _set_fields(sample: Sample, state: object) -> None:
    if not isinstance(state, dict) or not all(type(key) is str for key in state):
        raise ValueError("a Sample whose state is not a dictionary of named fields")
    if any(key.startswith("__") for key in state):
        raise ValueError("a Sample with a field that starts with two underscores")
    sample.fields = dict(state)


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _dtype,
    ("cogmen.Sample", "Sample"): Sample,
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): OrderedDict,
}
for _module in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_module}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_module}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_module}.numeric", "_frombuffer"] = _frombuffer
for _module in ("builtins", "__builtin__"):
    _ALLOWED[_module, "bytes"] = _no_bytes
    _ALLOWED[_module, "set"] = set
    _ALLOWED[_module, "frozenset"] = frozenset


class _Unpickler(pickle._Unpickler):
    """Resolves the allowed names only, and sets the state only of objects that they create."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, path: Path) -> None:
        # Python 2 wrote both arrays and text as byte strings; latin1 keeps every byte.
        super().__init__(file, encoding="latin1")
        self._path = path

    def _refuse(self, what: str) -> UnsafePickle:
        return UnsafePickle(
            f"{self._path} names {what}, which files of features never contain; no code in it was executed: "
            "use the published file"
        )

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the replacement for an allowed name.

        Raises:
            UnsafePickle: any other name.
            ValueError: not a valid name, so the file is not a pickle.
        """
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            name = f"{module_name}.{global_name}"
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{name[:40]!r} is not a valid name") from None  # as in files that are not pickles
            raise self._refuse(name[:120]) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the file."""
        raise self._refuse("an object outside itself (persistent id)")

    def get_extension(self, code: int) -> None:
        """Refuse extension codes, since any function can be registered under one."""
        raise self._refuse(f"extension code {code}")

    def load_build(self) -> None:
        """Set the state of an array, a dtype or a Sample, and refuse it for other objects."""
        stack: list[Any] = self.stack  # type: ignore[attr-defined]
        state = stack.pop()
        target = stack[-1]
        setters: dict[type, Callable[[Any, object], None]] = {
            np.ndarray: _fill,
            _Dtype: _set_order,
            Sample: _set_fields,
        }
        setter = setters.get(type(target))
        if setter is None:
            raise ValueError("it sets the state of an object that has none")
        setter(target, state)

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]


def load(path: Path) -> Any:
    """Return the content of a pickle: containers, numbers, text, ``numpy.ndarray`` and ``Sample``.

    Raises:
        UnsafePickle: it names anything else; no code in it was executed.
        NotThisFormat: it is not a pickle, or a damaged one.
        CannotWrite: it cannot be opened.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, path) from error
    if content.startswith(b"PK"):  # would be taken for a persistent id
        raise NotThisFormat(f"{path} is a zip file (.npz, or saved by torch), not a pickle of features: check its name")
    try:
        # From memory, where a wrong length of terabytes allocates nothing.
        return _Unpickler(io.BytesIO(content), path).load()
    except ReplicateError:
        raise
    except Exception as error:  # a damaged pickle can raise any exception, according to Python's documentation
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        raise NotThisFormat(
            f"{path} is not a pickle of features, or is truncated ({reason}): compare its size with the "
            "published file, or fetch it again"
        ) from error
