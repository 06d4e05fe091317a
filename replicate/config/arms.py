"""Arms, read from ``arms.toml``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from replicate.config import folders
from replicate.config.toml import build, known, merged, section
from replicate.errors import InvalidDefinition
from replicate.training.config import AUDIO, CONTEXTS, Arm
from replicate.training.distillation_config import LEAST, METHODS, Dmd, DmdOnline, Method, MtPkdot, Triplet


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
    return _checked(build(Arm, content, where, **fixed, distillation=made), where)


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
        found[name] = _checked(build(Arm, content, where, **given, distillation=made), where)
    return found[name]


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidDefinition(f"{where}, key 'unimodal_teachers': it needs a list of arms")
    return value


def _method(content: Any, where: str) -> Method:
    """A method of distillation, from its section."""
    where = f"{where}, distillation"
    kind = str(section(content, where).get("method", "triplet"))
    return build(METHODS[known(kind, METHODS, where, "method")], content, where)


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


def _checked(arm: Arm, where: str) -> Arm:
    for context in (arm.train, arm.select, *arm.contexts):
        known(context, CONTEXTS, where, "context")
    for context in arm.contexts:
        if not set(CONTEXTS[context]) <= set(CONTEXTS[arm.train]):
            raise InvalidDefinition(f"{where}: context {context} needs a stream that {arm.train} lacks")
    if arm.select not in arm.contexts:
        raise InvalidDefinition(f"{where}: select = {arm.select!r} is none of its contexts")
    if min(arm.context_layers, arm.gnn_heads) < 1 or min(arm.window) < 0 or not 0 <= arm.dropout < 1:
        raise InvalidDefinition(f"{where}: layers and heads from 1, window from 0, dropout from 0 to below 1")
    known(arm.audio, AUDIO, where, "audio stream")
    if arm.causal and arm.window[0] != 0:
        raise InvalidDefinition(
            f"{where}: causal = true with window = {list(arm.window)} would hear {arm.window[0]} utterances ahead: the "
            "first number is how far back an utterance is heard, so write 0 there"
        )
    if arm.memory < 1:
        raise InvalidDefinition(f"{where}: memory = {arm.memory}, but an utterance hears itself: 1 at least")
    for teacher in arm.teachers:
        if arm.audio != teacher.audio:
            raise InvalidDefinition(f"{where}: it hears {arm.audio!r} and its teacher {teacher.name} {teacher.audio!r}")
    if arm.distillation is not None or arm.teachers:
        _check_method(arm, arm.distillation or Triplet(), where)
    return arm


def _check_method(arm: Arm, method: Method, where: str) -> None:
    """Refuse what a method cannot do with the arm's teachers, and settings that make no sense."""
    where = f"{where}, distillation {method.method!r}"
    online, several = isinstance(method, DmdOnline), isinstance(method, MtPkdot | Dmd)
    if online and arm.teachers:
        raise InvalidDefinition(
            f"{where}: its teacher learns beside it, so that it takes no teacher: leave out teacher"
        )
    if not online and arm.teacher is None:
        raise InvalidDefinition(f"{where}: it needs a teacher")
    if arm.unimodal_teachers and not several:
        raise InvalidDefinition(f"{where}: it learns from one teacher: leave out unimodal_teachers")
    if isinstance(method, MtPkdot) and method.utterances < LEAST:
        raise InvalidDefinition(f"{where}: utterances = {method.utterances}, but transport needs {LEAST} at least")
    if isinstance(method, MtPkdot) and method.hallucinate != "off" and arm.guesses is None:
        raise InvalidDefinition(
            f"{where}: hallucinate needs a teacher that only sees, one with train = 'V', among its teachers"
        )
    if online and arm.train != "A":
        raise InvalidDefinition(
            f"{where}: the student hears and the one beside it sees: train must be 'A', not {arm.train!r}"
        )
    if isinstance(method, Triplet) and arm.teacher and arm.gnn_heads > arm.teacher.gnn_heads:
        raise InvalidDefinition(
            f"{where}: gnn_heads = {arm.gnn_heads} makes the student's embedding wider than that of its teacher "
            f"{arm.teacher.name}, which has {arm.teacher.gnn_heads}"
        )
    content = asdict(method)
    content |= {f"alignment.{name}": value for name, value in content.pop("alignment", {}).items()}
    for name, value in content.items():
        if type(value) in (int, float):
            may_be_zero = name.endswith("weight") or name == "margin"
            if not (0 <= value < 1e9 if may_be_zero else 0 < value < 1e9):  # so that NaN fails
                raise InvalidDefinition(
                    f"{where}: {name} = {value} must be {'0 or more' if may_be_zero else 'above 0'}"
                )
    if not any(value for name, value in content.items() if name.endswith("weight")):
        raise InvalidDefinition(f"{where}: its weights must not all be 0")
