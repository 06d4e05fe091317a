"""Arms, read from ``arms.toml``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from replicate.config import folders
from replicate.config.toml import build, known, merged, section
from replicate.errors import InvalidDefinition
from replicate.training.arm import DEFAULT_METHOD, Arm
from replicate.training.methods import Settings, method_settings


def arms() -> dict[str, Arm]:
    """All arms of ``arms.toml`` by name.

    Raises:
        InvalidDefinition: naming file, section and key; teachers or likenesses that run in a circle.
    """
    sections = folders.sections("arms")
    found: dict[str, Arm] = {}
    for name in sections:
        _resolve(name, sections, found, ())
    return found


def arm_in_row(name: str, content: dict[str, Any], where: str) -> Arm:
    """Return an arm that a table's row defines in place; ``content`` is as in ``arms.toml``.

    Raises:
        InvalidDefinition: as ``arms``, with ``where`` in front.
    """
    sections = folders.sections("arms") | {name: folders.Definition(where, content)}
    return _resolve(name, sections, {}, ())


def changed(arm: Arm, change: dict[str, Any], where: str) -> Arm:
    """The arm with other values for some of its keys, checked like one of the file."""
    fixed = {name: getattr(arm, name) for name in ("name", "teacher", "unimodal_teachers")}
    plain = {name: getattr(arm, name) for name in Arm.__dataclass_fields__ if name not in fixed}
    content = merged(plain | {"distillation": asdict(arm.method) if arm.method else None}, change)
    method = content.pop("distillation")
    made = None if method is None else _method(method, where)
    return build(Arm, content, where, **fixed, distillation=made)


def _resolve(name: str, sections: dict[str, folders.Definition], found: dict[str, Arm], above: tuple[str, ...]) -> Arm:
    """The arm of that name, after the arms it is taught by."""
    if name in above:
        raise InvalidDefinition(f"{sections[name].where}: teachers run in a circle: {' <- '.join([*above, name])}")
    if name not in found:
        where = sections[name].where
        content = _inherited(name, sections, ())
        joint, others = content.pop("teacher", None), content.pop("unimodal_teachers", [])
        for key, listed in (("teacher", joint), *(("unimodal_teachers", each) for each in _list(others, where))):
            if listed is not None and not isinstance(listed, str):
                raise InvalidDefinition(f"{where}, key {key!r}: {listed!r} is no name of an arm")
        teachers = [
            None if each is None else _resolve(known(each, sections, where, "arm"), sections, found, (*above, name))
            for each in (joint, *others)
        ]
        method = content.pop("distillation", None)
        given = {"name": name, "teacher": teachers[0], "unimodal_teachers": tuple(teachers[1:])}
        # The paper's method where a teacher is all that is said.
        made = _method({} if method is None else method, where) if method is not None or teachers[0] else None
        found[name] = build(Arm, content, where, **given, distillation=made)
    return found[name]


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidDefinition(f"{where}, key 'unimodal_teachers': it needs a list of arms")
    return value


def _method(content: Any, where: str) -> Settings:
    """Settings of a distillation method, from their section."""
    where = f"{where}, distillation"
    values = section(content, where)
    return build(method_settings(str(values.pop("method", DEFAULT_METHOD)), where), values, where)


def _inherited(name: str, sections: dict[str, folders.Definition], above: tuple[str, ...]) -> dict[str, Any]:
    """The section of an arm over those it is like."""
    where = sections[name].where
    if name in above:
        raise InvalidDefinition(f"{where}: likenesses run in a circle: {' <- '.join([*above, name])}")
    content = section(sections[name].content, where)
    base = content.pop("like", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise InvalidDefinition(f"{where}, key 'like': {base!r} is no name of an arm")
    return _inherited(known(base, sections, where, "arm"), sections, (*above, name)) | content
