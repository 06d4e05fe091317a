"""The source code that a run's numbers depend on, as hashes that ignore comments and docstrings.

Every run depends on the core: the model, the training loop and the random draws. The modules of ``OPTIONAL`` and
plugins only matter to the arms that use them, so that adding or changing one leaves all other runs valid.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import replicate
from replicate.errors import BadPlugin

# Packages whose modules are only used by some arms.
OPTIONAL = (
    "replicate.model.context",
    "replicate.model.heads",
    "replicate.training.distillation",
    "replicate.training.masking",
)
# Modules of these packages that every run uses.
_SHARED = ("__init__", "base", "loss")
# Modules of --config-dir folders, see replicate.config.plugins.
_PLUGIN = "replicate_plugin_"


class _Source(NamedTuple):
    """Hash of a file's code, and the names that it imports, with leading dots if they are relative."""

    digest: str
    imports: tuple[str, ...]


def core_hash() -> str:
    """Return a hash of the code that all runs use."""
    return _core_hash(_package())


@functools.cache
def _core_hash(package: Path) -> str:
    paths = [package / "rng.py", *sorted((package / "model").rglob("*.py"))]
    paths += sorted(path for path in (package / "training").rglob("*.py") if path.stem != "parity")
    digest = hashlib.sha256()
    for path in paths:
        name = ".".join(("replicate", *path.relative_to(package).with_suffix("").parts))
        if not _is_optional(name):
            digest.update(f"{name}\n{_read(path).digest}\n".encode())
    return digest.hexdigest()[:16]


def module_hashes(classes: Iterable[type]) -> dict[str, str]:
    """Return hashes of the optional modules and plugins that define these classes, and of those that they import.

    Raises:
        BadPlugin: a source cannot be read.
    """
    found: dict[str, str] = {}
    waiting: list[str] = []
    for cls in classes:
        if _file(cls.__module__) is None or cls.__module__ == "__main__":  # defined in a notebook or a script
            found[f"{cls.__module__}.{cls.__qualname__}"] = _hash(ast.parse(_class_source(cls)))
        elif not cls.__module__.startswith("replicate.") or _is_optional(cls.__module__):
            waiting.append(cls.__module__)
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name not in found and path is not None:
            source = _read(path)
            package = name if path.stem == "__init__" else name.rpartition(".")[0]
            found[name] = source.digest
            imports = (importlib.util.resolve_name(other, package) for other in source.imports)
            waiting += [other for other in imports if _is_followed(other, name)]
    return found


def current_hash(name: str) -> str | None:
    """Return the present hash of a module that ``module_hashes`` has named; None if its plugin is not loaded."""
    path = _file(name)
    return None if path is None else _read(path).digest


def _package() -> Path:
    return Path(replicate.__file__).parent


def _is_optional(name: str) -> bool:
    package, _, last = name.rpartition(".")
    return package in OPTIONAL and last not in _SHARED


def _is_followed(name: str, importer: str) -> bool:
    """Return whether a module that ``importer`` imports is hashed with it: it is optional, or of the same plugin."""
    if name.startswith("replicate."):
        return _is_optional(name)
    top = importer.partition(".")[0]
    return name.startswith(_PLUGIN) or (top != "replicate" and name.partition(".")[0] == top)


def _file(name: str) -> Path | None:
    """Return the source file of a module of this package, or of an imported module."""
    if name.startswith("replicate."):
        path = _package().joinpath(*name.split(".")[1:])
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    else:
        path = Path(getattr(sys.modules.get(name), "__file__", None) or "")
    return path if path.suffix == ".py" and path.is_file() else None


def _class_source(cls: type) -> str:
    try:
        return textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError) as error:
        raise BadPlugin(
            f"the source of {cls.__qualname__} cannot be read, but the keys of its runs depend on it: put it in a file"
        ) from error


def _read(path: Path) -> _Source:
    """Return a file's code; it is read again only if the file has changed."""
    stat = path.stat()
    return _parse(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1000)
def _parse(path: Path, changed: int, size: int) -> _Source:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadPlugin(f"{path} cannot be read, but the keys of its runs depend on it: {error}") from error
    return _Source(_hash(tree), tuple(_imports(tree)))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Yield names of everything that a module imports, also inside functions; some are attributes of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}{'' if module.endswith('.') else '.'}{alias.name}" for alias in node.names)


def _hash(tree: ast.Module) -> str:
    """Return a hash of code without comments and docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body.pop(0)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
