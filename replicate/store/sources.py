"""The source code that a run's numbers depend on, as hashes that ignore comments and docstrings.

Every run depends on the core: the model, the training loop and the random draws. The modules of ``OPTIONAL`` and
plugins only matter to the arms that use them, so that adding or changing one leaves all other runs valid.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import replicate
from replicate.errors import BadPlugin
from replicate.store import notebook

# Packages whose modules are only used by some arms.
OPTIONAL = (
    "replicate.model.context",
    "replicate.model.extractors",
    "replicate.model.heads",
    "replicate.training.distillation",
    "replicate.training.masking",
    "replicate.training.methods",
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
    return code_hash(_package())


@functools.cache
def code_hash(package: Path) -> str:
    """Return the same hash of another copy of this package."""
    paths = [package / "rng.py", *sorted((package / "model").rglob("*.py"))]
    paths += sorted(path for path in (package / "training").rglob("*.py") if path.stem != "parity")
    digest = hashlib.sha256()
    for path in paths:
        name = ".".join(("replicate", *path.relative_to(package).with_suffix("").parts))
        if not _is_optional(name):
            digest.update(f"{name}\n{_read(path).digest}\n".encode())
    return digest.hexdigest()[:16]


def module_hashes(classes: Iterable[type], modules: Iterable[str] = ()) -> dict[str, str]:
    """Return hashes of the optional modules and plugins that define these classes, and of those that they import.

    Args:
        modules: names of further optional modules, which need not be imported.

    A helper, which a plugin or script imports from its own folder, is named ``PLUGIN/HELPER``.

    Raises:
        BadPlugin: a source cannot be read.
    """
    found: dict[str, str] = {}
    waiting = [*modules]
    for cls in classes:
        if notebook.defines(cls) or _file(cls.__module__) is None:
            found |= {f"{cls.__module__}.{name}": _hash(tree) for name, tree in notebook.sources(cls).items()}
        elif not cls.__module__.startswith("replicate.") or _is_optional(cls.__module__):
            waiting.append(cls.__module__)
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name not in found and path is not None:
            source = _read(path)
            found[name] = source.digest
            waiting += _imported(name, path, source)
    return found


def current_hash(name: str) -> str | None:
    """Return the present hash of a module that ``module_hashes`` has named; None if its plugin is not loaded.

    It is also None for a class of a script or notebook: the script that runs now may be another one.
    """
    path = None if name.startswith("__main__") else _file(name)
    return None if path is None else _read(path).digest


def _imported(name: str, path: Path, source: _Source) -> Iterator[str]:
    """Yield names of the modules that a module imports and that are hashed with it; some of them do not exist."""
    root = name.partition("/")[0]
    if root in ("__main__", "__mp_main__") or root.startswith(_PLUGIN):
        for other in source.imports:
            if not other.startswith(("replicate.", _PLUGIN)):
                helper = other.removeprefix(".")
                while helper:  # a module is imported after its packages
                    yield f"{root}/{helper}"
                    helper = helper.rpartition(".")[0]
            elif other.startswith(_PLUGIN) or _is_optional(other):
                yield other
        return
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    imports = (importlib.util.resolve_name(other, package) for other in source.imports)
    yield from (other for other in imports if _is_followed(other, name))


def _package() -> Path:
    return Path(replicate.__file__).parent


def _is_optional(name: str) -> bool:
    package, _, last = name.rpartition(".")
    return package in OPTIONAL and last not in _SHARED


def _is_followed(name: str, importer: str) -> bool:
    """Return whether a module that ``importer`` imports is hashed with it: it is optional, or of the same package."""
    if name.startswith("replicate."):
        return _is_optional(name)
    top = importer.partition(".")[0]
    return top != "replicate" and name.partition(".")[0] == top


def _file(name: str) -> Path | None:
    """Return the source file of a module of this package, of an imported module, or of a helper in its folder."""
    root, _, helper = name.partition("/")
    if root.startswith("replicate."):
        path = _package().joinpath(*root.split(".")[1:])
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    else:
        path = Path(getattr(sys.modules.get(root), "__file__", None) or "")
    if helper and path.is_file():
        path = path.parent.joinpath(*helper.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path if path.suffix == ".py" and path.is_file() else None


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
