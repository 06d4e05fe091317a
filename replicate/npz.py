"""Read arrays from ``.npz`` files: only those that are asked for, and only after their claimed sizes were checked.

``numpy.load`` reserves what the head of an array claims, and unpacks whatever a file holds.
"""

from __future__ import annotations

import errno
import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from replicate.limits import MIB, Budget, shown

# What a file may unpack to. Zeros are packed a thousand times, features with many zeros twenty times.
BASE, TIMES = 256 * MIB, 32

_MAGIC = b"\x93NUMPY"
_SUFFIX = ".npy"
# numpy parses heads up to this length.
_LONGEST_HEAD = 10_000
# Those of numbers and text have two.
_MOST_BRACKETS = 8
_MOST_DIMENSIONS = 8
_BLOCK = 2**18
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Head:
    """What the head of an array claims; its size is that of the data in the file.

    Attributes:
        length: bytes of the head.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    length: int

    @property
    def entries(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return self.entries * self.dtype.itemsize


class Npz:
    """An open ``.npz`` file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, list[zipfile.ZipInfo]] = {}
        for info in archive.infolist():
            if info.filename.endswith(_SUFFIX):
                self._members.setdefault(info.filename.removesuffix(_SUFFIX), []).append(info)

    def __iter__(self) -> Iterator[str]:
        """Names of the arrays."""
        return iter(self._members)

    def __contains__(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return name in self._members

    def head(self, name: str) -> Head:
        """Return what the head of an array claims, without reading the array; of objects, the size is not known.

        Raises:
            ValueError: it cannot be parsed, or claims another size than the file holds. Any other error of ``zipfile``
            and ``zlib``.
        """
        info = self._info(name)
        with self._archive.open(info) as file:
            head = _head(file, name)
        if head.length + head.size != info.file_size and not head.dtype.hasobject:
            raise ValueError(
                f"'{shown(name)[1:-1]}' claims shape {head.shape} of {_type(head.dtype)}, {head.size:,} bytes, where "
                f"{info.file_size - head.length:,} follow"
            )
        return head

    def read(self, name: str, head: Head) -> NDArray[Any]:
        """Return an array of numbers or text with this head.

        Raises:
            ValueError: it holds Python objects, or fewer bytes than it claims. Any other error of ``zipfile`` and
            ``zlib``.
        """
        if head.dtype.hasobject:
            raise ValueError(f"'{name}' holds Python objects")
        array = np.empty(head.entries, head.dtype)
        if head.size:
            with self._archive.open(self._info(name)) as file:
                file.read(head.length)
                _read_into(file, memoryview(array.view(np.uint8)))  # type: ignore[arg-type]
        return array.reshape(head.shape[::-1]).T if head.fortran else array.reshape(head.shape)

    def _info(self, name: str) -> zipfile.ZipInfo:
        """Return the only member of a name.

        Raises:
            KeyError: there is none. ValueError: there are several, or it is packed as numpy never does.
        """
        info, *others = self._members[name]
        if others:
            raise ValueError(f"it holds '{shown(name)[1:-1]}' {1 + len(others)} times")
        # Other methods unpack more from a byte, and may reserve what the file claims.
        if info.compress_type not in _METHODS or info.flag_bits & 1:
            raise ValueError(f"'{shown(name)[1:-1]}' is encrypted, or compressed in another way than numpy does")
        return info


def budget(path: Path, remedy: str) -> Budget:
    """Return what the arrays of a file may take in memory."""
    return Budget(path, path.stat().st_size, BASE, TIMES, remedy)


@contextmanager
def open_npz(path: Path) -> Iterator[Npz]:
    """Open an ``.npz`` file.

    Raises:
        OSError: it cannot be opened. BadZipFile and other errors of ``zipfile``: it is damaged.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield Npz(archive)
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):
                raise
            # The file has been opened: it names a place in itself that cannot be.
            raise zipfile.BadZipFile(f"it refers to an impossible place ({error})") from error


def reason(error: Exception) -> str:
    """Return in words why a file cannot be read."""
    name = "zlib" if isinstance(error, zlib.error) else type(error).__name__
    return f"{name}: {error}".splitlines()[0][:200]


def is_text(array: NDArray[np.str_]) -> bool:
    """Return whether an array of text holds only characters that exist and can be written to a file."""
    if not array.size or not array.itemsize:
        return True
    codes = np.frombuffer(array.tobytes(), np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    return not bool(((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any())


def _head(file: BinaryIO | Any, name: str) -> Head:
    start = file.read(len(_MAGIC) + 2)
    if start[: len(_MAGIC)] != _MAGIC or start[len(_MAGIC) :] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError(f"'{shown(name)[1:-1]}' is no array of numpy")
    first = start[len(_MAGIC)] == 1
    count = file.read(2 if first else 4)
    length = int.from_bytes(count, "little")
    if length > _LONGEST_HEAD:
        raise ValueError(f"'{shown(name)[1:-1]}' has a head of {length:,} bytes")
    text = count + file.read(length)
    if sum(text.count(bracket) for bracket in (b"(", b"[", b"{")) > _MOST_BRACKETS:
        raise ValueError(f"the head of '{shown(name)[1:-1]}' is nested, as those of numbers and text are not")
    parse = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = parse(io.BytesIO(text))
    except (Exception, MemoryError) as error:  # Python's parser runs out of its own stack, which is a MemoryError
        raise ValueError(f"the head of '{shown(name)[1:-1]}' cannot be parsed ({type(error).__name__})") from error
    if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise ValueError(f"'{shown(name)[1:-1]}' has more than {_MOST_DIMENSIONS} dimensions, or impossible sizes")
    return Head(dtype, shape, bool(fortran), len(start) + len(text))


def _type(dtype: np.dtype[Any]) -> str:
    """Return a type in words of limited length."""
    return str(dtype)[:40] if dtype.names is None else "a structure"


def _read_into(file: Any, view: memoryview) -> None:
    # In blocks, because ZipExtFile joins what it reads to what it has read.
    done = 0
    while done < len(view):
        count = file.readinto(view[done : done + _BLOCK])
        if not count:
            raise ValueError("it ends within an array")
        done += count
