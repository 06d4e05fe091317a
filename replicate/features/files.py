"""Find recordings below a folder by the names in a CSV."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from replicate.errors import BadSource, ReplicateError
from replicate.features.tables import nfc

SUFFIXES = (".wav", ".flac")
# Other recordings, which are used where neither of the two has the name: videos often lie next to their sound.
_OTHERS = {
    *(".mp3", ".m4a", ".mp4", ".aac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".sph", ".wma", ".amr"),
    *(".3gp", ".mkv", ".webm", ".mov", ".avi"),
}
# Names of tables that a folder of predictions has: `export.audio.files`.
WRITTEN = ("timeline.csv", "distance.csv")


def entries(folder: Path) -> list[Path]:
    """Return what is directly in a folder.

    Raises:
        BadSource: it cannot be read.
    """
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise BadSource(f"{folder} cannot be read ({error.strerror}): check its permissions") from error


def tables_in(folder: Path) -> list[Path]:
    """Return the CSV files directly in a folder that may list its utterances, in order of their names.

    Hidden files, such as those in which macOS keeps properties, are none, and neither is what ``replicate predict
    --out`` wrote there.

    Raises:
        BadSource: it cannot be read.
    """
    found = (path for path in entries(folder) if path.suffix.lower() == ".csv" and path.name[0] != ".")
    return sorted(path for path in found if path.name not in WRITTEN)


def is_recording(path: Path) -> bool:
    """Return whether the name of a file is that of a recording; hidden files are none."""
    return path.suffix.lower() in {*SUFFIXES, *_OTHERS} and not path.name.startswith(".") and path.is_file()


class Recordings:
    """The recordings below a folder, also in linked folders; hidden files and folders are left out.

    Of files of one name, those of ``SUFFIXES`` are meant, and others only where there are none.

    Attributes:
        problems: folders that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problems: list[ReplicateError] = []
        found = list(self._walk())
        self._paths = [path for path in found if path.suffix.lower() in SUFFIXES]
        self._others = [path for path in found if path.suffix.lower() in _OTHERS]
        self._named = self._by_name(self._paths)
        self._named = self._by_name(self._others) | self._named

    def find(self, name: str, where: str) -> Path | ReplicateError:
        """Return the recording of a name, or the problem that there is none or that there are several.

        Args:
            name: of the file, or its path below the folder; the suffix may be left out.
            where: file and line that ask for it.
        """
        found = self._named.get(name, [])
        if len(found) > 1:
            one, other, *_ = (self._below(path) for path in found)
            if one == other:
                return BadSource(
                    f"{where}: two files below {self._folder} are called {one}, with accents that are written in two "
                    "ways of Unicode (NFC and NFD): remove or rename one of them"
                )
            short = one if one.with_suffix("") == other.with_suffix("") else one.with_suffix("")
            return BadSource(
                f"{where}: {one} and {other} below {self._folder} are both called {name}: write the one that is meant "
                f"with its folder, such as {'./' * (len(short.parts) == 1)}{short}"
            )
        return found[0] if found else BadSource(f"{where}: {self._missing(name)}")

    def without_line(self, names: Collection[str]) -> Iterator[Path]:
        """Yield the recordings that none of the names can mean."""
        meant = {path for name in names for path in self._named.get(name, ())}
        yield from (path for path in self._paths or self._others if path not in meant)

    def _missing(self, name: str) -> str:
        suffix = PurePosixPath(name).suffix
        if suffix.lower() in _OTHERS.union(SUFFIXES):
            name = name.removesuffix(suffix)
        last = name.rpartition("/")[2].casefold()
        spelt = next((path for path in (*self._paths, *self._others) if nfc(path.stem).casefold() == last), None)
        what = f"there is {self._below(spelt)}, correct its name" if spelt else "add it"
        return f"no recording {name}.wav or {name}.flac below {self._folder}: {what}"

    def _by_name(self, paths: Sequence[Path]) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in paths:
            for name in self._names(path):
                found.setdefault(name, []).append(path)
        return found

    def _names(self, path: Path) -> set[str]:
        file = self._below(path)
        short = file.with_suffix("")
        return {short.name, file.name, *(f"{dot}{name}" for name in (short, file) for dot in ("", "./"))}

    def _below(self, path: Path) -> PurePosixPath:
        return PurePosixPath(nfc(path.relative_to(self._folder).as_posix()))

    def _walk(self) -> Iterator[Path]:
        """Yield all files, sorted; a folder that links lead to in several ways, or in a circle, is searched once."""
        seen: set[tuple[int, int]] = set()

        def failed(error: OSError) -> None:
            what = f"{error.filename} cannot be read ({error.strerror}): check its permissions"
            self.problems.append(BadSource(what))

        for folder, folders, files in os.walk(self._folder, onerror=failed, followlinks=True):
            state = Path(folder).stat()
            if (state.st_dev, state.st_ino) in seen:
                folders.clear()
                continue
            seen.add((state.st_dev, state.st_ino))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from sorted(Path(folder) / name for name in files if not name.startswith("."))
