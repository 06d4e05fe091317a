"""``SHA256SUMS``: the hash of every file that a command wrote into a results folder, as ``sha256sum -c`` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from replicate.errors import NotThisFormat
from replicate.experiment.results_folder import MANIFEST, ORIGIN
from replicate.files import from_os_error, sha256, visible, write_text
from replicate.limits import shown
from replicate.report import claims, ro_crate, tables
from replicate.results.deployments import DEPLOYMENTS
from replicate.results.timings import TIMINGS

NAME = ro_crate.CHECKSUMS
FIGURES = "figures"
# Of the whole file, in bytes: a line for each of some thousand figures.
_MOST = 1 << 20
# No other folder is looked into, whatever a file claims.
_LINE = re.compile(rf"([0-9a-f]{{64}})  ((?:{FIGURES}/)?[^/\\]+)")


def files(folder: Path, names: Iterable[str]) -> list[str]:
    """Return which files in a results folder the commands write, sorted; those in ``figures/`` with their folder.

    Args:
        names: of the tables.
    """
    suffixes = (*tables.SUFFIXES, *tables.STYLED.values())
    known = {f"{name}.{suffix}" for name in names for suffix in suffixes} | {*claims.FILES, MANIFEST, ro_crate.NAME}
    known |= {"scores.csv", "comparisons.csv", "index.html", DEPLOYMENTS, TIMINGS, ORIGIN}
    found = [path for path in visible(folder, "*") if path.name in known]
    found += visible(folder / FIGURES, "*")
    return sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())


def write(folder: Path, names: Iterable[str]) -> Path:
    """Write ``SHA256SUMS`` for the tables of these names, and return its path.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    return _save(folder, {name: _digest(folder / name) for name in files(folder, names)})


def remove(folder: Path) -> None:
    """Remove ``SHA256SUMS`` before files are replaced: a command that is killed leaves none that contradicts them.

    Raises:
        CannotWrite: naming the file.
    """
    try:
        (folder / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, folder / NAME) from error


def update(folder: Path, names: Iterable[str], name: str) -> None:
    """Replace the hash of one file alone; in a folder of an earlier version, write those of all files.

    Args:
        names: of the tables.

    Raises:
        NotThisFormat, DiskFull, CannotWrite: naming the file.
    """
    known = read(folder)
    if known is None:
        write(folder, names)
    else:
        _save(folder, known | {name: _digest(folder / name)})


def read(folder: Path) -> dict[str, str] | None:
    """Return the hash of every file that a folder's ``SHA256SUMS`` lists, None if there is none.

    Raises:
        NotThisFormat: it is malformed.
    """
    path = folder / NAME
    try:
        if not path.exists():
            return None
        if not path.is_file() or path.stat().st_size > _MOST:
            raise ValueError("it is no ordinary file, or a larger one than any command writes")
        found: dict[str, str] = {}
        for text in path.read_text(encoding="utf-8").split("\n")[:-1]:
            line = _LINE.fullmatch(text)
            if line is None or not text.isprintable() or line[2] in found:
                raise ValueError(f"not a hash and the name of another file: {shown(text, 100)}")
            found[line[2]] = line[1]
        return found
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"cannot read {path} ({error}): write it again with `replicate report`") from error


def _save(folder: Path, hashes: dict[str, str]) -> Path:
    write_text(folder / NAME, "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)))
    return folder / NAME


def _digest(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise from_os_error(error, path) from error
