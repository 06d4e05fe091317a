"""Arms, read from ``arms.toml``. Their rules are checked by ``Arm`` itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from replicate.config.folders import Definition
from replicate.config.privileged import CHOICES, PAPER, PLACEHOLDER, sections
from replicate.config.toml import build, known, merged, section
from replicate.errors import InvalidDefinition
from replicate.files import LONGEST_NAME
from replicate.limits import MOST, MOST_LAYERS, shown
from replicate.records import check_range
from replicate.suggest import choices
from replicate.training.arm import DEFAULT_METHOD, Arm
from replicate.training.methods.base import Settings, method_settings

# Arms that are like each other, or teachers of each other.
_LONGEST_CHAIN = 50
# Keys of a section of ``arms.toml``.
KEYS = ("like", *(name for name in Arm.__dataclass_fields__ if name != "name"))


def arms(privileged: str = PAPER) -> dict[str, Arm]:
    """Return all arms by name; ``privileged`` has the letters of the privileged streams.

    Raises:
        InvalidDefinition: naming the file, the arm and the key. BadPlugin: a method's plugin cannot be imported.
    """
    defined = sections("arms", privileged)
    found: dict[str, Arm] = {}
    for name, definition in defined.items():
        if not re.fullmatch(r"\w[\w.+-]*", name):  # names are part of commands and of file names
            raise InvalidDefinition(f"{definition.where}: an arm's name has letters, digits and any of _ . + - only")
        _resolve(name, defined, found, ())
    return found


def arm(name: str, privileged: str = PAPER) -> Arm:
    """Return the arm of that name.

    Raises:
        InvalidDefinition: there is none, or only with other privileged streams; or see ``arms``.
    """
    known = arms(privileged)
    if name not in known:
        refuse_other_streams(name)
        raise InvalidDefinition(f"unknown arm {name!r}: {choices(name, list(known))}")
    return known[name]


def refuse_other_streams(name: str) -> None:
    """Raise an error for the name of an arm with any privileged streams; the caller knows no arm of this name.

    Raises:
        InvalidDefinition: naming the choice of ``--privileged`` with which there is such an arm.
    """
    for choice, letters in CHOICES.items():
        if name in arms(letters):
            raise InvalidDefinition(f"arm {name} has other privileged streams: choose {choice} with --privileged")


def arm_in_row(name: str, content: dict[str, Any], where: str, privileged: str = PAPER) -> Arm:
    """Return an arm that a table's row defines in place; ``content`` has the keys of a section of ``arms.toml``.

    Raises:
        InvalidDefinition, BadPlugin: as ``arms``, with ``where`` in front.
    """
    return _resolve(name, sections("arms", privileged) | {name: Definition(where, content)}, {}, ())


def changed(arm: Arm, change: dict[str, Any], where: str) -> Arm:
    """Return the arm with other values for some of the keys that ``arms.toml`` has, except its teachers.

    Raises:
        InvalidDefinition: as ``arms``, with ``where`` in front.
    """
    fixed = {name: getattr(arm, name) for name in ("name", "teacher", "unimodal_teachers")}
    plain = {name: getattr(arm, name) for name in Arm.__dataclass_fields__ if name not in fixed}
    content = merged(plain | {"distillation": asdict(arm.method) if arm.method else None}, change)
    return _build(content, fixed, where)


def _resolve(name: str, defined: Mapping[str, Definition], found: dict[str, Arm], above: tuple[str, ...]) -> Arm:
    """Build an arm after its teachers. ``found`` collects all; ``above`` are those being built, to find circles."""
    where = defined[name].where
    if name in above:
        raise InvalidDefinition(f"{where}: teachers in a circle: {' <- '.join([*above, name])}")
    _check_chain(above, where)
    if name in found:
        return found[name]
    content = _inherited(name, defined, ())
    joint, others = content.pop("teacher", None), content.pop("unimodal_teachers", [])
    if not isinstance(others, list):
        raise InvalidDefinition(f"{where}, key 'unimodal_teachers': it needs a list of arms")

    def teacher(key: str, value: object) -> Arm:
        return _resolve(_arm_name(value, defined, f"{where}, key {key!r}"), defined, found, (*above, name))

    teachers = {
        "teacher": None if joint is None else teacher("teacher", joint),
        "unimodal_teachers": tuple(teacher("unimodal_teachers", each) for each in others),
    }
    if joint is not None:
        content.setdefault("distillation", {})  # the paper's method
    found[name] = _build(content, {"name": name, **teachers}, where)
    return found[name]


def _build(content: dict[str, Any], given: dict[str, Any], where: str) -> Arm:
    method = content.pop("distillation", None)
    settings = None if method is None else _method(method, f"{where}, distillation")
    arm = build(Arm, content, where, **given, distillation=settings)
    try:  # what no record of a run may hold
        check_range(arm, 1, MOST_LAYERS, "context_layers", "gnn_heads")
        check_range(arm, 1, MOST, "hidden")
        check_range(arm, 0, MOST, "window", "memory")
    except ValueError as error:
        raise InvalidDefinition(f"{where}: {error}") from error
    return arm


def _method(content: object, where: str) -> Settings:
    values = section(content, where)
    cls = method_settings(str(values.pop("method", DEFAULT_METHOD))[:LONGEST_NAME], where)
    return build(cls, values, where, ("method",))


def _inherited(name: str, defined: Mapping[str, Definition], above: tuple[str, ...]) -> dict[str, Any]:
    """Return the keys of an arm, including those inherited through ``like``."""
    where = defined[name].where
    if name in above:
        raise InvalidDefinition(f"{where}, key 'like': arms in a circle: {' <- '.join([*above, name])}")
    _check_chain(above, where)
    content = section(defined[name].content, where)
    for key in content:
        known(key, KEYS, where, "key")
    if "like" not in content:
        return content
    base = _arm_name(content.pop("like"), defined, f"{where}, key 'like'")
    return _inherited(base, defined, (*above, name)) | content


def _check_chain(above: tuple[str, ...], where: str) -> None:
    """Refuse a chain of arms that Python could not follow."""
    if len(above) >= _LONGEST_CHAIN:
        raise InvalidDefinition(f"{where}: more than {_LONGEST_CHAIN} arms follow from each other: write fewer")


def _arm_name(value: object, defined: Mapping[str, Definition], where: str) -> str:
    if not isinstance(value, str):
        raise InvalidDefinition(f"{where}: {shown(value)} is not the name of an arm")
    return arm_name(value, defined, where)


def arm_name(name: str, defined: Iterable[str], where: str) -> str:
    """Return ``name`` if it is one of ``defined``.

    Raises:
        InvalidDefinition: it is not; for the name of an arm with the paper's privileged streams, what to write instead.
    """
    if name not in defined and name in sections("arms", PAPER):
        raise InvalidDefinition(
            f"{where}: arm {name} has the paper's privileged stream: write {PLACEHOLDER} in the place of its letter, "
            "which then follows --privileged"
        )
    return known(name, defined, where, "arm")
