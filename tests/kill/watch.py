"""See what a command writes at the moment at which it writes it, as told by Linux (inotify)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

# From <sys/inotify.h>.
_MODIFY, _MOVED_TO, _CREATE, _IS_FOLDER = 0x2, 0x80, 0x100, 0x40000000
_HEAD = struct.Struct("iIII")
# Its files are empty.
LOCKS = ".locks"


class Watch:
    """The changes of hidden files and folders below a folder, which are being written; locks are no such files."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._root = folder
        self._folders: dict[int, Path] = {}
        self._add(Path())

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def changes(self, seconds: float) -> int:
        """Return how many changes there were since the last call; waits for one, at most so many seconds."""
        end = time.monotonic() + seconds
        while True:
            found = sum(map(_is_half_written, self._changed()))
            if found or not select.select([self._file], [], [], max(0.0, end - time.monotonic()))[0]:
                return found

    def _changed(self) -> Iterator[Path]:
        try:
            data = os.read(self._file, 1 << 16)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, at)
            name = data[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0").decode()
            at += _HEAD.size + length
            if watch in self._folders:
                path = self._folders[watch] / name
                yield path
                if mask & _IS_FOLDER and mask & (_CREATE | _MOVED_TO):
                    yield from self._add(path)

    def _add(self, folder: Path) -> list[Path]:
        """Watch a folder and those in it; return what was in them, which may be younger than the watch."""
        here = self._root / folder
        watch = self._libc.inotify_add_watch(self._file, os.fsencode(here), _MODIFY | _MOVED_TO | _CREATE)
        if watch < 0:  # it was removed meanwhile
            return []
        self._folders[watch] = folder
        found = []
        with contextlib.suppress(OSError):
            for path in here.iterdir():
                found.append(folder / path.name)
                if path.is_dir() and path.name != LOCKS:
                    found += self._add(folder / path.name)
        return found


def half_written(folder: Path) -> bool:
    """Return whether there are hidden files or folders below a folder."""
    return any(_is_half_written(path.relative_to(folder)) for path in folder.rglob("*"))


def _is_half_written(path: Path) -> bool:
    return LOCKS not in path.parts and any(name.startswith(".") for name in path.parts)
