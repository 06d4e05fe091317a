"""Reads ``tables/*.toml`` into dataclasses: no unknown key, none missing, every value of its type."""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from replicate.errors import InvalidDefinition
from replicate.suggest import choices

T = TypeVar("T")


def section(value: Any, where: str) -> dict[str, Any]:
    """A copy of a TOML section."""
    if not isinstance(value, dict):
        raise InvalidDefinition(f"{where}: {value!r} is no section with keys")
    return dict(value)


def sections(value: Any, where: str) -> list[dict[str, Any]]:
    """Copies of the sections of an array."""
    if not isinstance(value, list):
        raise InvalidDefinition(f"{where}: it is written as [[...]] sections")
    return [section(item, f"{where} {number}") for number, item in enumerate(value, 1)]


def known(name: str, names: Iterable[str], where: str, what: str) -> str:
    """``name``, if it is one of ``names``."""
    names = list(names)
    if name not in names:
        raise InvalidDefinition(f"{where}: unknown {what} {name!r}: {choices(name, names)}")
    return name


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``change``, section within section."""
    result = dict(base)
    for key, value in change.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return result


@cache
def _hints(cls: type) -> dict[str, Any]:
    """A dataclass's types. Working them out takes longer than all else that is done to a section."""
    return get_type_hints(cls)


def build(cls: type[T], content: Any, where: str, **given: Any) -> T:
    """A dataclass from a TOML section.

    ``given`` are fields that the section itself must not set.
    """
    values = section(content, where)
    for key in given.keys() & values.keys():
        raise InvalidDefinition(f"{where}: key {key!r} is not set here")
    hints = _hints(cls)  # type: ignore[arg-type]
    all_fields = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
    for key in values:
        if key not in all_fields:
            raise InvalidDefinition(
                f"{where}: unknown key {key!r}: {choices(key, [k for k in all_fields if k != 'name'])}"
            )
    for key, f in all_fields.items():
        if key not in values | given and f.default is MISSING and f.default_factory is MISSING:
            raise InvalidDefinition(f"{where}: key {key!r} is missing")
    typed = {key: _typed(value, hints[key], f"{where}, key {key!r}") for key, value in values.items()}
    try:
        return cls(**typed, **given)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from error


def _typed(value: Any, hint: Any, where: str) -> Any:
    """``value`` as ``hint`` wants it; TOML's arrays become tuples and its whole numbers floats."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is float and type(value) is int:
        return float(value)
    if origin is types.UnionType:
        return _typed(value, args[0], where)
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is not Ellipsis and len(value) != len(args):
            raise InvalidDefinition(f"{where}: {len(args)} values needed, {len(value)} given")
        return tuple(_typed(item, args[0], where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _typed(item, args[1], where) for key, item in value.items()}
    if args and origin not in (tuple, dict):
        if value in args:
            return value
        raise InvalidDefinition(f"{where}: {value!r} is none of {', '.join(map(repr, args))}")
    if hasattr(hint, "__dataclass_fields__") and isinstance(value, dict):
        return build(hint, value, where)
    if origin is None and type(value) is hint:
        return value
    raise InvalidDefinition(f"{where}: {value!r} is not of the kind needed")
