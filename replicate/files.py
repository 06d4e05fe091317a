"""Write files and folders atomically: they are made next to their target and renamed into place."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replicate.errors import CannotWrite, DiskFull, ReplicateError, TooLittleMemory

# Most bytes in the name of a file that is made of a name in a corpus or a definition. File systems allow 255, some 143,
# of which suffixes and temporary names need some.
LONGEST_NAME = 120
# Prefix of folders that are being written, or that a killed process left incomplete.
INCOMPLETE = ".incomplete-"


def cut_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name for a file, cut to at most ``longest`` bytes; a hash of the whole name replaces what is cut."""
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= longest:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: longest - 9].decode('utf-8', 'ignore')}-{digest}"


def from_os_error(error: OSError, path: Path) -> ReplicateError:
    """Return the error to report for an ``OSError`` at ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"no room left on the disk while writing {path}: free some space, or choose another folder")
    if error.errno == errno.ENOMEM:
        return TooLittleMemory(f"cannot use {path}: memory ran out; free some, or raise the limit (ulimit -v)")
    reason = error.strerror or type(error).__name__
    return CannotWrite(f"cannot use {path}: {reason}; choose another path or repair its permissions")


def probe(folder: Path) -> None:
    """Make sure that a folder can be written, or be made, before hours are spent on what belongs there.

    Nothing is left: a folder that does not exist is not made.

    Raises:
        DiskFull, CannotWrite: naming the folder.
    """
    try:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise from_os_error(error, folder) from error


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary file next to ``target`` that replaces it when the block ends without an exception.

    Raises:
        DiskFull, CannotWrite: ``target`` cannot be written; an existing file is unchanged.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{cut_name(target.name)}."
        _sweep(target.parent, prefix)
        suffix = target.suffix if len(target.suffix) < 16 else ""
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=suffix)
        os.close(handle)
    except OSError as error:
        raise from_os_error(error, target) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files private
        temporary.replace(target)
    except OSError as error:
        raise from_os_error(error, target) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Return the permissions that this process withholds from new files."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _sweep(folder: Path, prefix: str) -> None:
    """Remove temporary files of killed processes: those older than an hour, longer than any write takes."""
    for path in folder.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(OSError):  # another process may remove it, too
            if time.time() - path.stat().st_mtime > 3600:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 ``text`` to ``target`` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def atomic_folder(target: Path, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder next to ``target`` that is renamed to it when the block ends without an exception.

    If ``target`` exists by then, because another process was faster, the new folder is dropped; with ``replace`` the
    new one replaces it. That takes two renames: a process that is killed between them leaves both folders next to the
    target, under names that begin with ``INCOMPLETE``, for an hour.

    Raises:
        DiskFull, CannotWrite: ``target`` cannot be written.
    """
    prefix = f"{INCOMPLETE}{cut_name(target.name, 24)}-"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent, prefix)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=prefix))
    except OSError as error:
        raise from_os_error(error, target) from error
    old = temporary.with_name(f"{temporary.name}-old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())  # mkdtemp makes folders private
        if replace and target.exists():
            target.rename(old)  # a folder that is not empty cannot be renamed over
        try:
            temporary.rename(target)
        except OSError as error:
            if old.exists():
                old.rename(target)
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    except OSError as error:
        raise from_os_error(error, target) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def visible(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a glob pattern in a folder, sorted, without hidden files and what is in hidden folders.

    Hidden files are no data: killed processes leave incomplete ones, and macOS keeps properties of NAME in ``._NAME``.
    """
    found = (path for path in folder.glob(pattern) if not _hidden(path.relative_to(folder)))
    return sorted(found)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes.

    Raises:
        OSError: it cannot be read, or is no ordinary file, such as a pipe or a device.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "no ordinary file", str(path))
    with path.open("rb") as file:
        digest = hashlib.sha256()
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
