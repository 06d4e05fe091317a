"""Get a corpus by its name or from a path, through the registered readers."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replicate.corpus.readers.base import READERS, NamedCorpus
from replicate.corpus.texts import check_texts
from replicate.corpus.types import Corpus, naming_file
from replicate.errors import BadPlugin, ReplicateError, UnknownCorpus
from replicate.limits import too_little_memory
from replicate.suggest import choices


def load(name_or_path: str | Path, data_dir: Path | str | None = None) -> Corpus:
    """Return a corpus by its name, or from a path that one of the readers accepts.

    Args:
        data_dir: folder with the files of a named corpus; without it see ``data_folder``.

    Raises:
        UnknownCorpus: no such name or path, no reader for it, or its files are not on this machine.
        BadPlugin: a reader from outside this package cannot be imported, or fails. TooLittleMemory: for the corpus.
        ReplicateError: every error of the readers, see ``replicate.errors``.
    """
    readers = _readers_by_corpus()
    if isinstance(name_or_path, str) and name_or_path in readers:
        return _load_named(name_or_path, readers[name_or_path], data_dir)
    path = Path(name_or_path)
    if not path.exists():
        raise UnknownCorpus(f"no corpus and no file {str(name_or_path)!r}: {choices(str(path), list(named_corpora()))}")
    reader = _reader_for(path)
    with _naming_plugin(reader, path):
        return _checked(READERS.get(reader)().read(path), path)


def named_corpora() -> dict[str, NamedCorpus]:
    """Return the corpora that have a name: generated ones first, those whose licence must be requested last.

    Raises:
        BadPlugin: two readers have a corpus of the same name.
    """
    found = {name: READERS.get(reader).corpora[name] for name, reader in _readers_by_corpus().items()}
    return dict(sorted(found.items(), key=lambda item: (bool(item[1].files), item[1].on_request, item[0])))


def data_folder(name: str, data_dir: Path | str | None = None) -> Path:
    """Return the folder of a named corpus's files: ``data_dir``, ``$REPLICATE_DATA/NAME``, or the user's cache.

    Raises:
        UnknownCorpus: the user has no home folder, as in some containers, and the others are not given.
    """
    if data_dir is not None:
        return Path(data_dir)
    if os.environ.get("REPLICATE_DATA"):
        return Path(os.environ["REPLICATE_DATA"]) / name
    import pooch  # slow to import

    try:
        return Path(pooch.os_cache("bridging-modalities")) / name
    except RuntimeError as error:
        raise UnknownCorpus(
            f"no folder for corpus {name}: this user has no home; set HOME or REPLICATE_DATA=FOLDER, or give --data-dir"
        ) from error


def is_here(name: str, data_dir: Path | str | None = None) -> bool:
    """Return whether a named corpus can be loaded without fetching files; their content is not checked."""
    entry = named_corpora()[name]
    try:
        found = [(data_folder(name, data_dir) / file.local).is_file() for file in entry.files]
    except UnknownCorpus:  # no home
        return False
    return any(found) if entry.any_file else all(found)


def _load_named(name: str, reader: str, data_dir: Path | str | None) -> Corpus:
    entry = READERS.get(reader).corpora[name]
    # A generated corpus has no files, and needs no folder, which a user without a home does not have.
    folder = data_folder(name, data_dir) if entry.files else Path(data_dir or ".")
    if not is_here(name, folder):
        licence = f" ({entry.licence})" if entry.on_request else ""
        raise UnknownCorpus(
            f"corpus {name} is not in {folder}: get it with `replicate data fetch {name}`, or point to its files "
            f"with --data-dir or REPLICATE_DATA{licence}"
        )
    with _naming_plugin(reader, folder):
        return _checked(READERS.get(reader)().load(name, folder), folder)


def _readers_by_corpus() -> dict[str, str]:
    """Return the name of the reader of each named corpus."""
    found: dict[str, str] = {}
    for reader in READERS.names():
        for name in READERS.get(reader).corpora:
            if name in found:
                raise BadPlugin(f"the corpus readers {found[name]} and {reader} both have a corpus {name}: rename one")
            found[name] = reader
    return found


_RECORDINGS = (".wav", ".flac")
# The release of IEMOCAP has them deeper than others.
_HOLDS_RECORDINGS = ("*.wav", "*.flac", "*/*.wav", "*/*.flac", "Session*/dialog/EmoEvaluation", "dialog/EmoEvaluation")


def _reader_for(path: Path) -> str:
    """Return the name of the reader with the highest priority among those that accept a path."""
    readers = {name: READERS.get(name) for name in READERS.names()}
    accepting = []
    for name, reader in readers.items():
        with _naming_plugin(name, path):
            if reader().accepts(path):
                accepting.append(name)
    if not accepting:
        formats = "; ".join(reader.format for reader in readers.values() if reader.format)
        if path.suffix.lower() in _RECORDINGS or any(next(path.glob(each), None) for each in _HOLDS_RECORDINGS):
            raise UnknownCorpus(
                f"{path} holds recordings: make a corpus of them with `replicate features`, see its --help"
            )
        raise UnknownCorpus(
            f"no reader accepts {path}: there are readers for {formats}; one of your own needs --config-dir"
        )
    highest = max(readers[name].priority for name in accepting)
    found = [name for name in accepting if readers[name].priority == highest]
    if len(found) > 1:
        raise UnknownCorpus(
            f"{path} is accepted by the readers {' and '.join(found)}: give one of them a higher priority"
        )
    return found[0]


def _checked(corpus: Corpus, path: Path) -> Corpus:
    if not isinstance(corpus, Corpus):
        raise TypeError(f"it returns {type(corpus).__name__}, not Corpus")
    with naming_file(path):
        return check_texts(corpus)


@contextmanager
def _naming_plugin(reader: str, path: Path) -> Iterator[None]:
    """Report what a reader from outside this package raises as an error that names it."""
    try:
        yield
    except ReplicateError:
        raise
    except MemoryError as error:
        raise too_little_memory(path) from error
    except Exception as error:
        if READERS.module(reader).startswith("replicate."):
            raise
        file = READERS.origin(reader)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f"{file}, line {lines[-1]}" if lines else file
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        raise BadPlugin(f"{where}: the corpus reader {reader!r} fails on {path} ({reason}): repair it") from error
