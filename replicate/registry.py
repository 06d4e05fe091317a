"""Names for things that can be added without a fork: distillation methods, context extractors, masking, corpus readers.

A class registers itself with a decorator. Built-in classes are found by importing the modules of one package, installed
ones by entry points, and a user's own by the modules that ``--config-dir`` imports.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from replicate.errors import BadPlugin, InvalidDefinition
from replicate.suggest import choices

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name.

    Args:
        kind: what they are, for messages: "distillation method".
        package: the package whose modules register the built-in ones. It is also the entry point group.
        group: entry point group, where it is not the package's name.
    """

    def __init__(self, kind: str, package: str, group: str) -> None:
        self.kind, self.package, self.group = kind, package, group
        self._found: dict[str, T] = {}
        self._modules: dict[str, str] = {}
        self._builtin_loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers a class or function under a name.

        Raises:
            BadPlugin: another module registered something of that name.
        """

        def add(thing: T) -> T:
            module = str(getattr(thing, "__module__", "?"))
            other = self._modules.get(name, module)
            if other != module:
                raise BadPlugin(f"two modules register the {self.kind} {name!r}: {other} and {module}; rename one")
            self._found[name], self._modules[name] = thing, module
            return thing

        return add

    def get(self, name: str, where: str = "") -> T:
        """What is registered under a name; ``where`` is the file and key that ask for it, for messages.

        Raises:
            InvalidDefinition: nothing is, with the nearest name. BadPlugin: it cannot be imported, or two packages
            install one of that name.
        """
        self._load_builtin()
        installed = [point for point in self._entry_points() if point.name == name]
        if len(installed) > 1 or (installed and name in self._found and not _gave(installed[0], self._modules[name])):
            origins = [f"{point.value}" for point in installed] + [self._modules.get(name, "")]
            raise BadPlugin(
                f"two plugins of one name: {self.kind} {name!r} comes from {' and '.join(filter(None, origins))}; "
                "uninstall or rename one"
            )
        if name not in self._found and installed:
            self._import(installed[0])
        if name not in self._found:
            place = f"{where}: " if where else ""
            raise InvalidDefinition(f"{place}unknown {self.kind} {name!r}: {choices(name, self.names())}")
        return self._found[name]

    def names(self) -> list[str]:
        """All names, built in or installed; entry points are named without importing them."""
        self._load_builtin()
        return sorted({*self._found, *(point.name for point in self._entry_points())})

    def module(self, name: str) -> str:
        """The module that registered a name; ``get`` it first."""
        return self._modules[name]

    def _entry_points(self) -> list[EntryPoint]:
        return list(entry_points(group=self.group))

    def _import(self, point: EntryPoint) -> None:
        try:
            thing: T = point.load()
        except Exception as error:  # a plugin may raise whatever it likes
            raise BadPlugin(
                f"plugin {point.value} ({self.kind} {point.name!r}) cannot be imported: {type(error).__name__}: {error}"
            ) from error
        if point.name not in self._found:
            self.register(point.name)(thing)

    def _load_builtin(self) -> None:
        if self._builtin_loaded:
            return
        self._builtin_loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")


def _gave(point: EntryPoint, module: str) -> bool:
    """Whether an entry point is where a registered thing came from."""
    return point.module == module
