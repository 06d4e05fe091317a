"""Import a user's modules from ``--config-dir`` folders; they register methods, extractors, strategies or readers.

Modules whose names begin with an underscore are helpers: plugins of their folder can import them, by their plain names.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from replicate import registry
from replicate.errors import BadPlugin
from replicate.file_kinds import HEAD, explain
from replicate.files import visible

_PREFIX = "replicate_plugin_"
# File of each plugin, and hash of the source that was executed, by the plugin's name in ``sys.modules``.
_loaded: dict[str, tuple[Path, str]] = {}
# The same for the helpers that the plugins have imported, and the folders that they are imported from.
_helpers: dict[str, tuple[Path, str]] = {}
_search: list[str] = []


def files(folder: Path) -> list[Path]:
    """Return the plugins in a folder, sorted; modules whose names begin with an underscore are not plugins."""
    return [path for path in visible(folder, "*.py") if not path.name.startswith("_")]


def load(paths: Sequence[Path]) -> None:
    """Import these files and forget all other plugins. A file that has changed since it was imported is imported again.

    If a helper has changed, all plugins are imported again.

    A worker process that does the same gets modules of the same names, so it can unpickle their classes.

    Raises:
        BadPlugin: naming the file; it cannot be imported, or another one has its name or registers the same thing.
            No plugin is imported then.
    """
    wanted: dict[str, Path] = {}
    for path in paths:
        name = _module_name(path)
        if name in wanted:
            raise BadPlugin(f"two plugins of one name: {wanted[name]} and {path}; rename one")
        wanted[name] = path
    try:
        sources = {name: path.read_bytes() for name, path in wanted.items()}
    except OSError as error:
        raise BadPlugin(f"{error.filename}: cannot be read: {error.strerror}") from error
    state = {name: (path, hashlib.sha256(sources[name]).hexdigest()) for name, path in wanted.items()}
    parents = list(dict.fromkeys(str(path.parent) for path in paths))
    if any(_digest(path) != digest or not _inside(path, parents) for path, digest in _helpers.values()):
        _unload_all()
    for name in [name for name in _loaded if _loaded[name] != state.get(name)]:
        _unload(name)
    try:
        _set_search(parents)
        for name, path in wanted.items():
            if name not in _loaded:
                _loaded[name] = state[name]
                try:
                    _import(name, path, sources[name])
                finally:
                    _find_helpers(path.parent)
                _check_helpers(path)
    except BaseException:
        _unload_all()
        raise


def _set_search(parents: Sequence[str]) -> None:
    """Let Python find helpers in these folders, after all installed packages, so that they hide none of them."""
    sys.path[:] = [entry for entry in sys.path if entry not in _search]
    _search[:] = [entry for entry in parents if entry not in sys.path]
    sys.path.extend(_search)
    importlib.invalidate_caches()


def _find_helpers(folder: Path) -> None:
    """Note the modules that a plugin has imported from its folder."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and not name.startswith(_PREFIX) and _inside(Path(file), [str(folder)]):
            path = Path(file)
            # Others are of installed packages, in an environment below the folder.
            if path.relative_to(folder).with_suffix("").parts[0] == name.partition(".")[0]:
                _helpers.setdefault(name, (path, _digest(path)))


def _check_helpers(plugin: Path) -> None:
    """Check that a plugin's helpers register nothing, and that no other module has the name of one.

    Raises:
        BadPlugin: naming the plugin and the helper.
    """
    for path in plugin.parent.glob("_[!_]*.py"):
        file = getattr(sys.modules.get(path.stem), "__file__", None)
        if path.stem in sys.modules and file != str(path):
            raise BadPlugin(f"two modules of one name: {file or path.stem} and {path}; rename the second")
    for name in _helpers.keys() & registry.plugin_modules():
        raise BadPlugin(
            f"{_helpers[name][0]} registers something, but plugin {plugin} imports it as a helper: move what both use "
            "into a module whose name begins with an underscore, and register nothing there"
        )


def _inside(path: Path, folders: Sequence[str]) -> bool:
    return any(str(path).startswith(folder + os.sep) for folder in folders)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"


def _module_name(path: Path) -> str:
    if not path.stem.isidentifier():
        raise BadPlugin(f"{path}: a plugin's name needs letters, digits and underscores only; rename it")
    return f"{_PREFIX}{path.stem}"


def _import(name: str, path: Path, source: bytes) -> None:
    """Execute a module's source; bytecode is not cached, since its time stamps miss quick changes."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    without_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except BadPlugin:
        _unload(name)
        raise
    except (Exception, SystemExit) as error:
        _unload(name)
        reason = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
        what = explain(source[:HEAD], empty_expected=True) if isinstance(error, SyntaxError) else None
        raise BadPlugin(
            f"plugin {path}, line {_line(error, path)}, cannot be imported: "
            f"{f'it {what}' if what else f'{type(error).__name__}: {reason}'}"
        ) from error
    finally:
        sys.dont_write_bytecode = without_bytecode


def _line(error: BaseException, path: Path) -> int:
    """Return the last line of the file that the error passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] if lines else None) or 1


def _unload(name: str) -> None:
    _loaded.pop(name, None)
    sys.modules.pop(name, None)
    registry.forget(name)


def _unload_all() -> None:
    _set_search([])
    for name in [*_loaded, *_helpers]:
        _unload(name)
    _helpers.clear()
