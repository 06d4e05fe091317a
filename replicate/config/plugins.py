"""Import a user's modules from ``--config-dir`` folders; they register methods, extractors, strategies or readers."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from replicate import registry
from replicate.errors import BadPlugin

# File of each plugin, and hash of the source that was executed, by the plugin's name in ``sys.modules``.
_loaded: dict[str, tuple[Path, str]] = {}


def files(folder: Path) -> list[Path]:
    """Return the plugins in a folder, sorted; modules whose names begin with an underscore are not plugins."""
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def load(paths: Sequence[Path]) -> None:
    """Import these files and forget all other plugins. A file that has changed since it was imported is imported again.

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
    for name in [name for name in _loaded if _loaded[name] != state.get(name)]:
        _unload(name)
    try:
        for name, path in wanted.items():
            if name not in _loaded:
                _import(name, path, sources[name])
                _loaded[name] = state[name]
    except BaseException:
        for name in list(_loaded):
            _unload(name)
        raise


def _module_name(path: Path) -> str:
    if not path.stem.isidentifier():
        raise BadPlugin(f"{path}: a plugin's name needs letters, digits and underscores only; rename it")
    return f"replicate_plugin_{path.stem}"


def _import(name: str, path: Path, source: bytes) -> None:
    """Execute a module's source; bytecode is not cached, since its time stamps miss quick changes."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except BadPlugin:
        _unload(name)
        raise
    except (Exception, SystemExit) as error:
        _unload(name)
        reason = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
        raise BadPlugin(
            f"plugin {path}, line {_line(error, path)}, cannot be imported: {type(error).__name__}: {reason}"
        ) from error


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
