"""Protocols, read from ``protocols.toml``, and single settings of them that a user or a table's row overrides."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from replicate.config import folders
from replicate.config.toml import build, known, merged, section
from replicate.errors import InvalidDefinition
from replicate.limits import shown
from replicate.suggest import choices
from replicate.training.config import ModelDefaults, Protocol
from replicate.training.masking.base import DEFAULT_STRATEGY, masking_strategy


def protocol(name: str) -> Protocol:
    """Return the protocol of that name, such as ``paper`` or ``paper+hubert.projection=none,masking.unit=batch``.

    Raises:
        InvalidDefinition: unknown protocol or setting, or an impossible value.
    """
    base, _, listed = name.partition("+")
    overrides = tuple(filter(None, listed.split(",")))
    found = _definition(base, "protocols.toml")
    where = f"protocol {name!r}" if overrides else found.where
    return _build(_override(_content(base, "protocols.toml"), overrides, where), where, name)


def mixed_protocol(
    base: str, other: str, from_other: tuple[str, ...], overrides: tuple[str, ...], where: str
) -> Protocol:
    """Return the protocol ``base`` with the settings ``from_other`` as in the protocol ``other``, then ``overrides``.

    Args:
        from_other: dotted keys, such as ``masking.unit``.
        overrides: as after the plus sign in the name of a ``protocol``, such as ``hubert.projection=none``.
        where: file and row, for messages.

    Raises:
        InvalidDefinition: unknown protocol or setting, or an impossible value.
    """
    content = _content(base, where)
    for key in from_other:
        value: Any = _content(other, where)
        for part in key.split("."):
            value = section(value, where)[known(part, value, where, "setting")]
        for part in reversed(key.split(".")):
            value = {part: value}
        # A whole section replaces the other one: masking strategies have different settings.
        content = merged(content, value) if "." in key else content | value
    name = base + (f", {other} {' and '.join(from_other)}" if from_other else "")
    name += f"+{','.join(overrides)}" if overrides else ""
    return _build(_override(content, overrides, where), where, name)


def _override(content: dict[str, Any], overrides: tuple[str, ...], where: str) -> dict[str, Any]:
    for override in overrides:
        key, value = (text.strip() for text in override.partition("=")[::2])
        if key == "masking.strategy":
            # Another strategy has other settings: it starts from its defaults.
            content |= {"masking": asdict(masking_strategy(value, where)())}
        content = merged(content, _nested(key, value, content, where))
    return content


def _definition(name: str, where: str) -> folders.Definition:
    sections = folders.sections("protocols")
    return sections[known(name, sections, where, "protocol")]


def _content(name: str, where: str) -> dict[str, Any]:
    """Return a protocol's section with all settings of its model, and the name and settings of its masking strategy."""
    found = _definition(name, where)
    content = section(found.content, found.where)
    masking = section(content.get("masking", {}), f"{found.where}, key 'masking'")
    strategy = str(masking.get("strategy", DEFAULT_STRATEGY))
    defaults = asdict(masking_strategy(strategy, f"{found.where}, key 'masking.strategy'")())
    model = asdict(ModelDefaults()) | section(content.get("model", {}), f"{found.where}, key 'model'")
    return content | {"masking": defaults | masking, "model": model}


def _build(content: dict[str, Any], where: str, name: str) -> Protocol:
    masking = section(content.pop("masking"), f"{where}, key 'masking'")
    strategy = masking_strategy(str(masking.pop("strategy")), f"{where}, key 'masking.strategy'")
    given: dict[str, Any] = {
        "name": name,
        "masking": build(strategy, masking, f"{where}, key 'masking'", ("strategy",)),
    }
    return build(Protocol, content, where, **given)


def _nested(key: str, value: str, content: dict[str, Any], where: str) -> dict[str, Any]:
    """Return ``{"masking": {"unit": "batch"}}`` for ``masking.unit`` and ``batch``, typed like the present value."""
    head, _, rest = key.partition(".")
    present = content[known(head, content, where, "setting")]
    if rest:
        return {head: _nested(rest, value, section(present, f"{where}, setting {head!r}"), where)}
    try:
        if isinstance(present, bool):
            return {head: {"true": True, "false": False}[value]}
        if isinstance(present, int | float):
            return {head: type(present)(value)}
    except (KeyError, ValueError):
        raise InvalidDefinition(
            f"{where}: {shown(value)} is not a value for {key}, which is {present!r} by default"
        ) from None
    if isinstance(present, dict):
        raise InvalidDefinition(f"{where}: {key} is a section: {choices(key, [f'{key}.{inner}' for inner in present])}")
    return {head: value}
