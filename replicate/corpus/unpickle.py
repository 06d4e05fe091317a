"""Pickles read as data: numbers, text, containers, arrays and one class; everything else is refused by name.

A pickle is a program that names functions and calls them. Here no name leads to the function it means: arrays
and dtypes go through checked stand-ins, since numpy itself trusts the memory layout that a pickle claims.
The base is the interpreter's own unpickler written in Python: in the one written in C a cached extension code
never passes ``find_class``, and setting a state could change the stand-ins themselves.
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

# Numbers, text and objects; no structured types, no dates. Byte order comes with the dtype's state.
_NUMBERS = re.compile(r"[<>|=]?([biufc](?:1|2|4|8|16)|[SU][1-9]\d{0,6})")
_OBJECTS = re.compile(r"[<>|=]?O[48]?")


class Sample:
    """One dialogue of COGMEN's preprocessed features, as a bag of fields without behaviour."""

    __slots__ = ("fields",)
    fields: dict[str, Any]

    def __new__(cls) -> Sample:
        """Empty until the pickle's state is set; takes no argument."""
        sample = super().__new__(cls)
        sample.fields = {}
        return sample


class _Dtype:
    """Stand-in for ``numpy.dtype`` while its state is not known yet."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


_NDARRAY = object()


def _dtype(spec: str, align: object = False, copy: object = False) -> _Dtype:
    if isinstance(spec, str) and _OBJECTS.fullmatch(spec):
        return _Dtype(np.dtype(object))
    found = _NUMBERS.fullmatch(spec) if isinstance(spec, str) else None
    if not found:
        raise ValueError(f"dtype {str(spec)[:40]!r} is none of numbers, text and objects")
    return _Dtype(np.dtype(found[1]))


def _reconstruct(kind: object, shape: object, code: object) -> NDArray[Any]:
    """The empty array that its state fills later; shape and code only say that it is empty."""
    if kind is not _NDARRAY:
        raise ValueError("an array of a class other than ndarray")
    return np.empty(0, np.int8)


def _scalar(dtype: _Dtype, raw: bytes | str) -> Any:
    data = _bytes(raw)
    if not isinstance(dtype, _Dtype) or dtype.dtype.hasobject or len(data) != dtype.dtype.itemsize:
        raise ValueError("a number whose bytes do not fit its dtype")
    return np.frombuffer(data, dtype.dtype)[0]


def _frombuffer(buffer: bytes, dtype: _Dtype, shape: Any, order: str, axes: object = None) -> NDArray[Any]:
    """Arrays of protocol 5."""
    if not isinstance(dtype, _Dtype) or dtype.dtype.hasobject or axes is not None:
        raise ValueError("an array whose memory is not described by dtype, shape and order")
    return np.frombuffer(bytes(_bytes(buffer)), dtype.dtype).reshape(_shape(shape), order=_order(order))


def _latin1(text: str, encoding: str) -> bytes:
    """The one use that protocol 2 makes of ``_codecs.encode``: bytes written as text."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in an encoding other than latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocol 2 writes empty bytes."""
    return b""


def _bytes(raw: object) -> bytes | bytearray:
    if isinstance(raw, str):
        return raw.encode("latin1")  # what Python 2 called str
    if not isinstance(raw, (bytes, bytearray)):
        raise ValueError("an array without bytes")
    return raw


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array whose shape is no tuple of sizes")
    return shape


def _order(order: object) -> Any:
    if order not in ("C", "F"):
        raise ValueError("an array in an unknown memory order")
    return order


def _fill(array: NDArray[Any], state: object) -> None:
    """``ndarray.__setstate__`` once shape, dtype and amount of data are known to agree."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
        raise ValueError("an array whose state is not version, shape, dtype, order and data")
    _, shape, stand_in, fortran, raw = state
    shape, dtype = _shape(shape), stand_in.dtype
    if dtype.hasobject:
        if not isinstance(raw, list) or len(raw) != math.prod(shape):
            raise ValueError("an array of objects whose list does not fill its shape")
        data: Any = list(raw)
    else:
        data = bytes(_bytes(raw))
        if len(data) != dtype.itemsize * math.prod(shape):
            raise ValueError(f"an array of shape {shape} and dtype {dtype} with {len(data)} bytes")
    array.__setstate__((1, shape, dtype, bool(fortran), data))  # type: ignore[arg-type]


def _set_order(stand_in: _Dtype, state: object) -> None:
    """Of a dtype's state only the byte order counts; its flags could turn bytes into pointers."""
    if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
        raise ValueError("a dtype whose state names no byte order")
    stand_in.dtype = stand_in.dtype.newbyteorder(state[1])


def _set_fields(sample: Sample, state: object) -> None:
    if not isinstance(state, dict) or not all(type(key) is str for key in state):
        raise ValueError("a Sample whose state is no dictionary of named fields")
    if any(key.startswith("__") for key in state):
        raise ValueError("a Sample with a field that starts with two underscores")
    sample.fields = dict(state)


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _dtype,
    ("cogmen.Sample", "Sample"): Sample,
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): OrderedDict,
}
for _module in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_module}.multiarray", "_reconstruct"] = _reconstruct
    _ADMITTED[f"{_module}.multiarray", "scalar"] = _scalar
    _ADMITTED[f"{_module}.numeric", "_frombuffer"] = _frombuffer
for _module in ("builtins", "__builtin__"):
    _ADMITTED[_module, "bytes"] = _no_bytes
    _ADMITTED[_module, "set"] = set
    _ADMITTED[_module, "frozenset"] = frozenset


class _Unpickler(pickle._Unpickler):
    """Knows the admitted names only, and sets state only on what those names make."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, path: Path) -> None:
        # Python 2 wrote arrays and text alike as byte strings; latin1 keeps every byte.
        super().__init__(file, encoding="latin1")
        self._path = path

    def _refuse(self, what: str) -> UnsafePickle:
        return UnsafePickle(
            f"{self._path} names {what}, which reading features never needs; nothing of it was executed: "
            "use the published file, not this one"
        )

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The stand-in for an admitted name.

        Raises:
            UnsafePickle: any other name.
        ValueError: no name at all; the file is no pickle.
        """
        try:
            return _ADMITTED[module_name, global_name]
        except KeyError:
            name = f"{module_name}.{global_name}"
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{name[:40]!r} can be no name") from None  # other files look like this
            raise self._refuse(name[:120]) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refused: features refer to nothing outside their file."""
        raise self._refuse("an object outside itself (persistent id)")

    def get_extension(self, code: int) -> None:
        """Refused: a registered code may stand for any function."""
        raise self._refuse(f"extension code {code}")

    def load_build(self) -> None:
        """Set the state of an array, a dtype or a Sample; of nothing else."""
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
            raise ValueError("it sets the state of something that has none")
        setter(target, state)

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]


def load(path: Path) -> Any:
    """The content of a pickle: containers, numbers, text, ``numpy.ndarray`` and ``Sample``.

    Raises:
        UnsafePickle: it names anything else; nothing of it was executed.
        NotThisFormat: it is no pickle, or a broken one.
        CannotWrite: it cannot be opened.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, path) from error
    if content.startswith(b"PK"):  # would pass for a persistent id
        raise NotThisFormat(f"{path} is a zip file (.npz, or saved by torch), no pickle of features: check its name")
    try:
        # From memory, where a claimed length of terabytes reserves nothing.
        return _Unpickler(io.BytesIO(content), path).load()
    except ReplicateError:
        raise
    except Exception as error:  # any exception can come out of a broken pickle, says Python's documentation
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        raise NotThisFormat(
            f"{path} is no pickle of features, or is cut short ({reason}): compare its size with the "
            "published file and fetch it again"
        ) from error
