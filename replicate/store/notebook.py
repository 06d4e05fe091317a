"""Sources of classes that were typed into a notebook or an interactive session, and of all that they use from there."""

from __future__ import annotations

import ast
import inspect
import linecache
import symtable
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from replicate.errors import BadPlugin

_MAIN = "__main__"
_PLAIN = (int, float, complex, str, bytes, bool, type(None))


def defines(cls: type) -> bool:
    """Return whether a class was typed into a notebook or session, and is not in a file."""
    if cls.__module__ != _MAIN:
        return False
    main = getattr(sys.modules[_MAIN], "__file__", None)
    files = {function.__code__.co_filename for function in _functions(cls)}
    # After `python -i script.py` and `%run script.py` there is a file, but not every class is in it.
    return main is None or any(file.startswith("<") or Path(file) != Path(main) for file in files)


def sources(cls: type) -> dict[str, ast.Module]:
    """Return the sources of a class and of what it uses of the notebook: functions, classes and plain values, by name.

    Raises:
        BadPlugin: one of them has no source, so that a change of it would not be noticed.
    """
    found: dict[str, ast.Module] = {}
    namespace = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    waiting: list[tuple[str, Any]] = [(cls.__qualname__, cls)]
    while waiting:
        name, value = waiting.pop()
        if name in found:
            continue
        try:
            text = _source(name, value, cls)
            found[name] = ast.parse(text)
        except SyntaxError as error:
            raise _unreadable(name, cls) from error
        used = _globals(text) | ({base.__name__ for base in value.__bases__} if isinstance(value, type) else set())
        waiting += [(each, namespace[each]) for each in sorted(used) if each in namespace and _counts(namespace[each])]
    return found


def _counts(value: Any) -> bool:
    """Return whether a global of the notebook is defined there; imported modules, functions and classes are not."""
    if isinstance(value, ModuleType) or type(value).__module__ in ("typing", "types"):
        return False
    return not hasattr(value, "__qualname__") or getattr(value, "__module__", None) == _MAIN


def _source(name: str, value: Any, cls: type) -> str:
    if isinstance(value, FunctionType):
        try:
            return textwrap.dedent(inspect.getsource(value))
        except (OSError, TypeError) as error:
            raise _unreadable(name, cls) from error
    if isinstance(value, type):
        return _class_source(value, cls)
    if not _is_plain(value):
        raise _unreadable(name, cls)
    return f"{name} = {value!r}"


def _class_source(value: type, cls: type) -> str:
    """Return the source of a class from the cell of its first function; of one without functions, its attributes."""
    for function in _functions(value):
        lines = linecache.getlines(function.__code__.co_filename)
        for node in ast.walk(ast.parse("".join(lines))):
            if not (isinstance(node, ast.ClassDef) and node.name == value.__name__):
                continue
            if node.lineno <= function.__code__.co_firstlineno <= (node.end_lineno or 0):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                return textwrap.dedent("".join(lines[first - 1 : node.end_lineno]))
        raise _unreadable(value.__qualname__, cls)
    kept = {key: each for key, each in vars(value).items() if not key.startswith("__") and key != "implementation"}
    if not all(_is_plain(each) for each in kept.values()):
        raise _unreadable(value.__qualname__, cls)
    fields = {key: str(each) for key, each in vars(value).get("__annotations__", {}).items()}
    return f"{value.__name__} = {sorted(kept.items())!r}, {sorted(fields.items())!r}"


def _functions(cls: type) -> Iterator[FunctionType]:
    """Yield functions that the body of a class defines; a dataclass also has generated ones."""
    for value in vars(cls).values():
        function = getattr(value, "__func__", getattr(value, "fget", value))
        if isinstance(function, FunctionType) and function.__module__ == _MAIN:
            function = inspect.unwrap(function)
            if function.__code__.co_filename != "<string>":
                yield function


def _globals(text: str) -> set[str]:
    """Return the names that code refers to and does not define itself."""

    def walk(table: symtable.SymbolTable) -> Iterator[str]:
        outermost = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (not symbol.is_assigned() if outermost else symbol.is_global()):
                yield symbol.get_name()
        for child in table.get_children():
            yield from walk(child)

    return set(walk(symtable.symtable(text, "cell", "exec")))


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(each) for pair in value.items() for each in pair)
    return isinstance(value, _PLAIN) or (type(value) in (tuple, list) and all(map(_is_plain, value)))


def _unreadable(name: str, cls: type) -> BadPlugin:
    uses = "" if name == cls.__qualname__ else f", which {cls.__qualname__} uses,"
    return BadPlugin(
        f"the source of {name}{uses} cannot be read, but the keys of its runs depend on it: put it in a file"
    )
