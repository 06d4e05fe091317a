"""Checks shared by the settings dataclasses, so that settings built in Python are checked like those read from TOML."""

from __future__ import annotations

import functools
from typing import Any, Literal, get_args, get_origin, get_type_hints

from replicate.errors import InvalidDefinition


def check_choices(settings: Any, where: str = "") -> None:
    """Check every field with a fixed list of values (a ``Literal``).

    Args:
        where: name of what is checked, put in front of the message.

    Raises:
        InvalidDefinition: a value is not in its field's list.
    """
    for name, allowed in _choices(settings.__class__).items():
        value = getattr(settings, name)
        if value not in allowed:
            raise InvalidDefinition(
                f"{where}{': ' if where else ''}{name} = {value!r} is none of {', '.join(map(repr, allowed))}"
            )


@functools.cache
def _choices(cls: type) -> dict[str, tuple[Any, ...]]:
    return {name: get_args(hint) for name, hint in get_type_hints(cls).items() if get_origin(hint) is Literal}
