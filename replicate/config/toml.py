"""Build dataclasses from sections of TOML; unknown keys, missing keys and values of another type are errors."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from replicate.errors import InvalidDefinition
from replicate.limits import shown
from replicate.suggest import choices

T = TypeVar("T")

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}


def section(value: Any, where: str) -> dict[str, Any]:
    """Return a copy of a TOML section."""
    if not isinstance(value, dict):
        raise InvalidDefinition(f"{where}: {shown(value)} is not a section with keys")
    return dict(value)


def sections(value: Any, where: str) -> list[dict[str, Any]]:
    """Return copies of the sections of an array."""
    if not isinstance(value, list):
        raise InvalidDefinition(f"{where}: write it as [[...]] sections")
    return [section(item, f"{where} {number}") for number, item in enumerate(value, 1)]


def known(name: str, names: Iterable[str], where: str, what: str) -> str:
    """Return ``name`` if it is one of ``names``, else suggest the nearest in the message."""
    names = list(names)
    if name not in names:
        raise InvalidDefinition(f"{where}: unknown {what} {shown(name, 200)}: {choices(name, names)}")
    return name


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``change``; sections are merged key by key."""
    result = dict(base)
    for key, value in change.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return result


def build(cls: type[T], content: Any, where: str, also: Iterable[str] = (), **given: Any) -> T:
    """Build a dataclass from a section.

    Args:
        where: file and section, put in front of every message, those of the dataclass's own checks included.
        also: keys of the section that the caller has taken out already, for messages.
        given: fields that the section itself must not set.

    Raises:
        InvalidDefinition: an unknown or missing key, or a value of another type.
    """
    values = section(content, where)
    for key in given.keys() & values.keys():
        raise InvalidDefinition(f"{where}: key {key!r} cannot be set here")
    hints = _hints(cls)  # type: ignore[arg-type]
    all_fields = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
    for key in values:
        known(key, [*(name for name in all_fields if name not in given), *also], where, "key")
    for key, f in all_fields.items():
        if key not in values | given and f.default is MISSING and f.default_factory is MISSING:
            raise InvalidDefinition(f"{where}: key {key!r} is missing")
    typed = {key: _typed(value, hints[key], f"{where}, key {key!r}") for key, value in values.items()}
    try:
        return cls(**typed, **given)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from error


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields. Cached, because resolving them takes longer than everything else here.

    Class variables are left out, because Python 3.10 refuses those without a type of their own.
    """
    names = {each.name for each in fields(cls)}
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = {name: hint for name, hint in inspect.get_annotations(base).items() if name in names}
        found |= get_type_hints(type(base.__name__, (), {"__annotations__": own, "__module__": base.__module__}))
    return found


def _typed(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` in the type that ``hint`` names: arrays as tuples, whole numbers as floats where needed."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is float and type(value) is int:
        return float(value)
    if origin is types.UnionType:  # optional
        return _typed(value, args[0], where)
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is not Ellipsis and len(value) != len(args):
            raise InvalidDefinition(f"{where}: {len(args)} values needed, {len(value)} given")
        return tuple(_typed(item, args[0], where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _typed(item, args[1], where) for key, item in value.items()}
    if args and origin not in (tuple, dict):  # Literal
        if value in args:
            return value
        raise InvalidDefinition(f"{where}: {shown(value)} is none of {', '.join(map(repr, args))}")
    if hasattr(hint, "__dataclass_fields__") and isinstance(value, dict):
        return build(hint, value, where)
    if origin is None and type(value) is hint:
        return value
    needed = _KINDS.get(hint, "a list" if origin is tuple else "a section")
    raise InvalidDefinition(f"{where}: {shown(value)} is not {needed}")


def as_text(value: Any) -> str:
    """Return a value as TOML, on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {as_text(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)  # numbers and truth values are as in JSON


def _key(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _text(key)


def _text(value: str) -> str:
    # A text of JSON is one of TOML, except for a control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
