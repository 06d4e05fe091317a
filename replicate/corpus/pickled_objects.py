"""Replacements for the functions and classes that pickles of features call, which trust nothing that a pickle claims.

``unpickle`` maps the names in a pickle to these functions and never to numpy's own, since those trust the memory layout
that a pickle describes.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.limits import shown

# Numbers, text and objects; no structured types, no dates. The byte order is in the dtype's state.
_NUMBERS = re.compile(r"[<>|=]?([biufc](?:1|2|4|8|16)|[SU][1-9]\d{0,6})")
_OBJECTS = re.compile(r"[<>|=]?O[48]?")
# Larger integers are no keys; these are hashed at once, and few of them share a hash.
_LARGEST_KEY = 2**63
# numpy's arrays have up to 64 dimensions, and features up to 2.
_MOST_DIMENSIONS = 8
_MOST_ENTRIES = 2**48


class PickledDtype:
    """Replacement for ``numpy.dtype`` whose byte order is set later."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


NDARRAY = object()


def make_dtype(spec: str, align: object = False, copy: object = False) -> PickledDtype:
    """Replacement for ``numpy.dtype``."""
    if isinstance(spec, str) and _OBJECTS.fullmatch(spec):
        return PickledDtype(np.dtype(object))
    found = _NUMBERS.fullmatch(spec) if isinstance(spec, str) else None
    if not found:
        raise ValueError(f"dtype {shown(spec)} is not numbers, text or objects")
    return PickledDtype(np.dtype(found[1]))


def set_order(dtype: PickledDtype, state: object) -> None:
    """Set a dtype's byte order; other flags of the state are ignored, since they could make bytes into pointers."""
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if not isinstance(order, str) or order not in ("<", ">", "|", "="):
        raise ValueError("a dtype whose state has no byte order")
    dtype.dtype = dtype.dtype.newbyteorder(order)  # type: ignore[arg-type]


def reconstruct(kind: object, shape: object, code: object) -> NDArray[Any]:
    """Return an empty array, which ``fill`` fills later; shape and code of the pickle only describe an empty array."""
    if kind is not NDARRAY:
        raise ValueError("an array of a class other than ndarray")
    return np.empty(0, np.int8)


def scalar(dtype: PickledDtype, raw: bytes | str) -> Any:
    """Replacement for ``numpy.core.multiarray.scalar``."""
    data = _bytes(raw)
    if not isinstance(dtype, PickledDtype) or dtype.dtype.hasobject or len(data) != dtype.dtype.itemsize:
        raise ValueError("a number whose bytes do not fit its dtype")
    return np.frombuffer(data, dtype.dtype)[0]


def from_buffer(buffer: bytes, dtype: PickledDtype, shape: Any, order: str, axes: object = None) -> NDArray[Any]:
    """Return an array as protocol 5 pickles it."""
    if not isinstance(dtype, PickledDtype) or dtype.dtype.hasobject or axes is not None:
        raise ValueError("an array whose memory is not described by dtype, shape and order")
    if not isinstance(order, str) or order not in ("C", "F"):
        raise ValueError("an array in an unknown memory order")
    return np.frombuffer(bytes(_bytes(buffer)), dtype.dtype).reshape(_shape(shape), order=order)  # type: ignore[call-overload]


def fill(array: NDArray[Any], state: object) -> None:
    """Call ``ndarray.__setstate__`` after checking that shape, dtype and amount of data agree."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], PickledDtype):
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


def _bytes(raw: object) -> bytes | bytearray:
    if isinstance(raw, str):
        return raw.encode("latin1")  # a str of Python 2
    if not isinstance(raw, (bytes, bytearray)):
        raise ValueError("an array without bytes")
    return raw


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array whose shape is not a tuple of sizes")
    # Also where another size is 0, since numpy multiplies the others.
    if len(shape) > _MOST_DIMENSIONS or any(n > _MOST_ENTRIES for n in shape) or _entries(shape) > _MOST_ENTRIES:
        raise ValueError(f"an array of more than {_MOST_DIMENSIONS} dimensions or {_MOST_ENTRIES} entries")
    return shape


def _entries(shape: tuple[int, ...]) -> int:
    return math.prod(max(n, 1) for n in shape)


class Sample:
    """One dialogue of COGMEN's preprocessed features: a class with fields and no methods."""

    __slots__ = ("fields",)
    fields: dict[str, Any]

    def __new__(cls) -> Sample:
        """Create an empty Sample; the pickle sets its fields later."""
        sample = super().__new__(cls)
        sample.fields = {}
        return sample


def no_bytes() -> bytes:
    """Replacement for ``bytes``, which protocol 2 calls without arguments for empty bytes."""
    return b""


def latin1(text: str, encoding: str) -> bytes:
    """Replacement for ``_codecs.encode``, which protocol 2 uses for bytes written as text, and for nothing else."""
    if not isinstance(text, str) or not isinstance(encoding, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in an encoding other than latin1")
    return text.encode("latin1")


def checked_key(value: object) -> Any:
    """Return a value that can be hashed in little time and without recursion, as keys and members of sets must be."""
    if isinstance(value, str) or (type(value) is int and abs(value) < _LARGEST_KEY):
        return value
    raise ValueError(f"a key that is neither text nor a small integer, but {shown(value)}")


def make_set(members: object = ()) -> set[Any]:
    """Replacement for ``set``."""
    return set(map(checked_key, _sequence(members)))


def make_frozenset(members: object = ()) -> frozenset[Any]:
    """Replacement for ``frozenset``."""
    return frozenset(make_set(members))


def make_ordered(pairs: object = ()) -> OrderedDict[Any, Any]:
    """Replacement for ``OrderedDict``."""
    found: OrderedDict[Any, Any] = OrderedDict()
    for pair in _sequence(pairs):
        if len(_sequence(pair)) != 2:
            raise ValueError("a dictionary made of something else than pairs")
        found[checked_key(pair[0])] = pair[1]
    return found


def _sequence(value: Any) -> list[Any] | tuple[Any, ...]:
    if type(value) not in (list, tuple):
        raise ValueError(f"a container made of {shown(value)}")
    return value


def set_fields(sample: Sample, state: object) -> None:
    """Set the fields of a Sample."""
    if not isinstance(state, dict) or not all(type(key) is str for key in state):
        raise ValueError("a Sample whose state is not a dictionary of named fields")
    if any(key.startswith("__") for key in state):
        raise ValueError("a Sample with a field that starts with two underscores")
    sample.fields = dict(state)
