"""Where definitions come from: the packaged TOML files, and the folders that a user adds with ``--config-dir``.

Sections of ``arms.toml``, ``protocols.toml`` and so on in a user's folder are added to the packaged ones. A TOML file
of any other name, except ``pyproject.toml``, is a table. Nothing packaged can be replaced: the same name twice is an
error that names both files.
"""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicate import escape
from replicate.config import plugins
from replicate.errors import InvalidDefinition
from replicate.file_kinds import explain_file
from replicate.files import LONGEST_NAME, cut_name, visible
from replicate.limits import MIB, in_mib
from replicate.records import DEPTH, check_depth

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Files that hold sections of one kind; every other TOML file is a table.
COLLECTIONS = ("arms", "protocols", "profiles", "claims", "figures", "sweep", "search")
# A table has at least one of these keys.
TABLE_KEYS = ("rows", "like", "arms_of")
# Files of other programs.
_NOT_OURS = ("pyproject.toml",)

# Of a file, and of a text in it; packaged ones have a tenth.
_MOST_BYTES, _LONGEST_TEXT = MIB, 4000

_current: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A TOML file, or one section of it.

    Attributes:
        where: file and section, for messages.
    """

    where: str
    content: Any


def use(folders: str | Path | Iterable[str | Path]) -> None:
    """Add these folders to the packaged definitions, in place of those of an earlier call, and import their plugins.

    Every process that builds arms or unpickles classes of plugins must call it, worker processes with ``current()`` of
    the main process.

    Raises:
        InvalidDefinition: a folder does not exist. BadPlugin: a module cannot be imported, see ``plugins.load``.
    """
    global _current
    folders = [folders] if isinstance(folders, (str, Path)) else folders
    found = tuple(dict.fromkeys(_expanded(Path(folder)).resolve() for folder in folders))
    for folder in found:
        if not folder.is_dir():
            raise InvalidDefinition(f"--config-dir {folder}: no such folder; give one with TOML files or plugins")
    _current = ()  # the state after a plugin has failed
    plugins.load([path for folder in found for path in plugins.files(folder)])
    _current = found


def _expanded(folder: Path) -> Path:
    try:
        return folder.expanduser()
    except RuntimeError as error:
        raise InvalidDefinition(f"--config-dir {folder}: there is no such home folder; give the whole path") from error


def current() -> tuple[Path, ...]:
    """Return the user's folders, absolute."""
    return _current


def as_options() -> list[str]:
    """Return the words that give the user's folders to another command."""
    return [word for folder in _current for word in ("--config-dir", str(folder))]


def packaged() -> Path:
    """Return the folder of the packaged TOML files: in an installed package, or at the root of the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_tables"
    return installed if installed.is_dir() else package.parent / "tables"


def files(name: str) -> list[Definition]:
    """Return every file ``NAME.toml``, the packaged one first.

    Raises:
        InvalidDefinition: a file cannot be read, or a packaged one is missing.
    """
    own = [path for folder in _current if (path := folder / f"{name}.toml").is_file()]
    default = packaged() / f"{name}.toml"
    found = [Definition(str(path), _read(path)) for path in own]
    return [Definition(default.name, _read(default)), *found] if default.is_file() or name in COLLECTIONS else found


def sections(name: str) -> dict[str, Definition]:
    """Return the sections of every file ``NAME.toml`` by their names.

    Raises:
        InvalidDefinition: a file cannot be read, or two files have a section of the same name.
    """
    found: dict[str, Definition] = {}
    for file in files(name):
        for key, content in file.content.items():
            where = f"{file.where} [{escape.line(key)}]"
            _check_name(key, where)
            if key in found:
                raise InvalidDefinition(f"{where}: {found[key].where} has the same name; rename this one")
            found[key] = Definition(where, content)
    return found


def table_files() -> dict[str, Path]:
    """Return the files of all tables by the tables' names.

    Raises:
        InvalidDefinition: two files of one name, or a file in a user's folder is no table.
    """
    found: dict[str, Path] = {}
    default = packaged()
    for folder in (default, *_current):
        for path in visible(folder, "*.toml"):
            if path.stem in COLLECTIONS or path.name in _NOT_OURS:
                continue
            _check_name(path.stem, str(path))
            if path.stem in found:
                raise InvalidDefinition(f"{path}: {found[path.stem]} is a table of the same name; rename this one")
            if folder != default:
                _check_table(path)
            found[path.stem] = path
    return found


def _check_name(name: str, where: str) -> None:
    """Refuse a name that no table could show, or of which no file could be made, before anything is trained."""
    if not name.strip() or not name.isprintable() or cut_name(name) != name:
        raise InvalidDefinition(
            f"{where}: the name is empty, longer than {LONGEST_NAME} bytes, or has characters that cannot be printed: "
            "rename it"
        )


def _check_table(path: Path) -> None:
    """Raise an error for a file that is not a table, perhaps because its name or a key is misspelt."""
    content = _read(path)
    if content.keys() & {*TABLE_KEYS}:
        return
    near = [(key, close[0]) for key in content if (close := difflib.get_close_matches(key, TABLE_KEYS, 1))]
    if near:
        raise InvalidDefinition(f"{path}: unknown key {near[0][0]!r}: did you mean {near[0][1]}?")
    names = ", ".join(f"{name}.toml" for name in COLLECTIONS)
    raise InvalidDefinition(
        f"{path}: not a table, which has rows, like or arms_of, and not one of {names}: rename or move it"
    )


def table_file(name: str) -> Definition:
    """Return the content of a table's file; ``name`` is one of ``table_files``."""
    return _table(table_files()[name], packaged())


def all_tables() -> dict[str, Definition]:
    """Return the content of the files of all tables by the tables' names; errors as of ``table_files``."""
    default = packaged()
    return {name: _table(path, default) for name, path in table_files().items()}


def _table(path: Path, default: Path) -> Definition:
    return Definition(path.name if path.parent == default else str(path), _read(path))


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidDefinition(f"{path}: it has more than {in_mib(_MOST_BYTES)}, as no definition has: remove it")
        return _parsed(path.read_text(encoding="utf-8-sig"))  # editors of Windows begin a file with a mark
    except OSError as error:
        raise InvalidDefinition(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = explain_file(path) or f"not valid TOML: {escape.line(str(error)[:200])}"
        raise InvalidDefinition(f"{path}: {what}") from error
    except ValueError as error:
        raise InvalidDefinition(f"{path}: {escape.line(str(error)[:200])}: correct it") from error


@functools.lru_cache(maxsize=200)
def _parsed(text: str) -> dict[str, Any]:
    """Return the content of TOML. Cached, because a command needs every file many times; nobody changes it in place."""
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {DEPTH} levels") from error
    check_depth(content)
    _check_values(content)
    return content


def _check_values(content: object) -> None:
    """Refuse texts, and keys, that no message or table could show, and integers that TOML does not have.

    Raises:
        ValueError: naming the limit.
    """
    values = [content]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise ValueError(f"it has a text of {len(value):,} characters, more than {_LONGEST_TEXT:,}")
        elif type(value) is int and not -(2**63) <= value < 2**63:
            raise ValueError("it has a whole number of more than 64 bits")
