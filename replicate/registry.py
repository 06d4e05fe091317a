"""Names for what can be added from outside: distillation methods, context extractors, masking strategies, readers.

A class registers itself with a decorator. Built-in classes are found by importing the modules of one package, classes
of installed packages through entry points, and classes of a user by importing the modules in ``--config-dir`` folders.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
import sys
import weakref
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from replicate.errors import BadPlugin, InvalidDefinition
from replicate.suggest import choices

T = TypeVar("T")

_REGISTRIES: weakref.WeakSet[Registry[Any]] = weakref.WeakSet()
_plugin_modules: set[str] = set()


def plugin_modules() -> frozenset[str]:
    """Return the names of the modules outside this package that have registered something."""
    return frozenset(_plugin_modules)


class Registry(Generic[T]):
    """Classes or functions of one kind, by name.

    Args:
        kind: what they are, for messages: "distillation method".
        package: the package whose modules register the built-in ones.
        group: entry point group of installed packages.
    """

    def __init__(self, kind: str, package: str, group: str) -> None:
        self.kind, self.package, self.group = kind, package, group
        self._found: dict[str, T] = {}
        self._modules: dict[str, str] = {}
        self._checked: dict[str, T] = {}  # what ``get`` has found: it reads the metadata of all installed packages
        self._builtin_loaded = False
        _REGISTRIES.add(self)

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers a class or function under a name.

        Raises:
            BadPlugin: something else is registered under that name.
        """

        def add(thing: T) -> T:
            module = str(getattr(thing, "__module__", "?"))
            if not self._is_built_in(module):
                self._load_builtin()  # so that the plugin is refused, and not the built-in module that has the name
            other = self._modules.get(name, module)
            if other != module:
                raise BadPlugin(
                    f"two plugins of one name: {self.kind} {name!r} is registered by {_file(other)} and by "
                    f"{_file(module)}; rename one"
                )
            if self._registered_twice(name, thing, module):
                raise BadPlugin(
                    f"two plugins of one name: {self.kind} {name!r} is registered twice by {_file(module)}, for "
                    f"{_qualname(self._found[name])} and for {_qualname(thing)}; rename one"
                )
            self._found[name], self._modules[name] = thing, module
            self._checked.pop(name, None)
            if module.partition(".")[0] != __name__.partition(".")[0]:
                _plugin_modules.add(module)
            return thing

        return add

    def get(self, name: str, where: str = "") -> T:
        """Return what is registered under a name.

        Args:
            where: file and key that hold the name, put in front of messages.

        Raises:
            InvalidDefinition: nothing is registered under that name; the message suggests the nearest one.
            BadPlugin: it cannot be imported, or two installed packages have one of that name.
        """
        if name in self._checked:
            return self._checked[name]
        self._load_builtin()
        installed = [point for point in self._entry_points() if point.name == name]
        origins = [point.value for point in installed]
        if name in self._modules and not any(_same_package(point.module, self._modules[name]) for point in installed):
            origins.append(_file(self._modules[name]))
        if len(origins) > 1:
            raise BadPlugin(
                f"two plugins of one name: {self.kind} {name!r} is in {' and in '.join(origins)}; rename one"
            )
        if name not in self._found and installed:
            self._import(installed[0])
        if name not in self._found:
            place = f"{where}: " if where else ""
            raise InvalidDefinition(f"{place}unknown {self.kind} {name!r}: {choices(name, self.names())}")
        self._checked[name] = self._found[name]
        return self._found[name]

    def names(self) -> list[str]:
        """Return all names; what entry points name is not imported."""
        self._load_builtin()
        return sorted({*self._found, *(point.name for point in self._entry_points())})

    def module(self, name: str) -> str:
        """Return the module that registered a name; ``get`` it first."""
        return self._modules[name]

    def origin(self, name: str) -> str:
        """Return the file of the module that registered a name, or the module's name; ``get`` it first."""
        return _file(self._modules[name])

    def forget(self, module: str) -> None:
        """Remove what a module has registered."""
        for name in [name for name, origin in self._modules.items() if origin == module]:
            del self._found[name], self._modules[name]
            self._checked.pop(name, None)

    @contextlib.contextmanager
    def temporary(self) -> Iterator[None]:
        """Forget at the end of a ``with`` block what plugins register in it; built-in classes stay."""
        found, modules = dict(self._found), dict(self._modules)
        try:
            yield
        finally:
            built_in = {name: origin for name, origin in self._modules.items() if self._is_built_in(origin)}
            self._found = {name: self._found[name] for name in built_in} | found
            self._modules = built_in | modules
            self._checked.clear()

    def _registered_twice(self, name: str, thing: T, module: str) -> bool:
        """Whether another thing of the same file has this name.

        One of the same qualified name is replaced: the module is imported again. In a notebook, anything is replaced.
        """
        in_file = _file(module) != module
        return in_file and name in self._found and _qualname(self._found[name]) != _qualname(thing)

    def _is_built_in(self, module: str) -> bool:
        return module.startswith(f"{self.package}.")

    def _entry_points(self) -> list[EntryPoint]:
        return _entry_points(self.group)

    def _import(self, point: EntryPoint) -> None:
        try:
            thing: T = point.load()
        except Exception as error:  # a plugin may raise anything
            raise BadPlugin(
                f"plugin {point.value} ({self.kind} {point.name!r}) cannot be imported: {type(error).__name__}: {error}"
            ) from error
        if point.name not in self._found:  # the class has no decorator
            self.register(point.name)(thing)

    def _load_builtin(self) -> None:
        if self._builtin_loaded:
            return
        self._builtin_loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")


def implementation(declared: type) -> type:
    """Return the class that a registered class names as its implementation; the class itself if it names none.

    A built-in class that needs torch is registered by a class without torch, which only has its declarations: it names
    the former in ``implemented_by``, and the former inherits from it.
    """
    where = implemented_by(declared)
    return pkgutil.resolve_name(where) if where else declared


def implemented_by(declared: type) -> str:
    """Return "MODULE:CLASS" of the implementation that a registered class names itself; "" if it is its own."""
    return str(vars(declared).get("implemented_by", ""))


def forget(module: str) -> None:
    """Remove what a module has registered anywhere, so that it can be imported again."""
    for registry in _REGISTRIES:
        registry.forget(module)
    _plugin_modules.discard(module)


@contextlib.contextmanager
def temporary() -> Iterator[None]:
    """Forget at the end of a ``with`` block what plugins register in any registry; for tests and notebooks."""
    before = set(_plugin_modules)
    with contextlib.ExitStack() as stack:
        for registry in list(_REGISTRIES):
            stack.enter_context(registry.temporary())
        stack.callback(_plugin_modules.intersection_update, before)
        yield


@functools.cache
def _entry_points(group: str) -> list[EntryPoint]:
    """Return what installed packages offer; cached, because it reads the metadata of all of them."""
    return list(entry_points(group=group))


def _same_package(module: str, other: str) -> bool:
    return module.partition(".")[0] == other.partition(".")[0]


def _qualname(thing: object) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))


def _file(module: str) -> str:
    """Return the file of a module, or its name where there is no file."""
    return str(getattr(sys.modules.get(module), "__file__", None) or module)
