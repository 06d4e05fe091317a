"""Arms and protocols, read from ``tables/arms.toml`` and ``tables/protocols.toml``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from replicate.config import toml
from replicate.config.toml import build, choices, known, merged, section
from replicate.errors import InvalidDefinition
from replicate.training.config import AUDIO, CONTEXTS, Arm, Protocol
from replicate.training.distillation_config import LEAST, METHODS, Dmd, DmdOnline, Method, MtPkdot, Triplet


def arms() -> dict[str, Arm]:
    """All arms of ``arms.toml`` by name.

    Raises:
        InvalidDefinition: naming file, section and key; teachers or likenesses that run in a circle.
    """
    sections = toml.read("arms")
    found: dict[str, Arm] = {}
    for name in sections:
        _resolve(name, sections, found, ())
    return found


def changed(arm: Arm, change: dict[str, Any], where: str) -> Arm:
    """The arm with other values for some of its keys, checked like one of the file."""
    fixed = {name: getattr(arm, name) for name in ("name", "teacher", "unimodal_teachers")}
    plain = {name: getattr(arm, name) for name in Arm.__dataclass_fields__ if name not in fixed}
    content = merged(plain | {"distillation": asdict(arm.method) if arm.method else None}, change)
    method = content.pop("distillation")
    made = None if method is None else _method(method, where)
    return _checked(build(Arm, content, where, **fixed, distillation=made), where)


def protocol(name: str) -> Protocol:
    """A reading of the paper, such as ``paper`` or ``paper+hubert.projection=none,masking.unit=batch``.

    Raises:
        InvalidDefinition: unknown, a knob that there is not, or a section that is not well-formed.
    """
    base, _, listed = name.partition("+")
    knobs = tuple(filter(None, listed.split(",")))
    where = f"protocol {name!r}" if knobs else f"protocols.toml [{base}]"
    return _protocol(_with_knobs(_reading(base), knobs, where), where, name)


def turned(base: str, other: str, turn: tuple[str, ...], knobs: tuple[str, ...], where: str) -> Protocol:
    """The reading ``base`` with the knobs ``turn`` as in the reading ``other``, and ``knobs`` set; named after all.

    ``knobs`` are written as after the plus in the name of a ``protocol``.
    """
    content = _reading(base)
    for knob in turn:
        value: Any = _reading(other)
        for part in knob.split("."):
            value = section(value, where)[known(part, value, where, "knob")]
        for part in reversed(knob.split(".")):
            value = {part: value}
        content = merged(content, value)
    name = base + (f", {other} {' and '.join(turn)}" if turn else "") + (f"+{','.join(knobs)}" if knobs else "")
    return _protocol(_with_knobs(content, knobs, where), where, name)


def _with_knobs(content: dict[str, Any], knobs: tuple[str, ...], where: str) -> dict[str, Any]:
    for knob in knobs:
        key, _, value = knob.partition("=")
        content = merged(content, _nested(key.strip(), value.strip(), content, where))
    return content


def _reading(name: str) -> dict[str, Any]:
    sections = toml.read("protocols")
    return section(sections[known(name, sections, "protocols.toml", "protocol")], f"protocols.toml [{name}]")


def _nested(key: str, value: str, content: dict[str, Any], where: str) -> dict[str, Any]:
    """``{"masking": {"unit": "batch"}}`` of ``masking.unit`` and ``batch``, the value typed as the present one."""
    head, _, rest = key.partition(".")
    present = content[known(head, content, where, "knob")]
    if rest:
        return {head: _nested(rest, value, section(present, f"{where}, knob {head!r}"), where)}
    try:
        if isinstance(present, bool):
            return {head: {"true": True, "false": False}[value]}
        if isinstance(present, int | float):
            return {head: type(present)(value)}
    except (KeyError, ValueError):
        raise InvalidDefinition(f"{where}: {value!r} is no value for {key}, which is {present!r} otherwise") from None
    if isinstance(present, dict):
        raise InvalidDefinition(f"{where}: {key} is a group: {choices(key, [f'{key}.{inner}' for inner in present])}")
    return {head: value}


def _protocol(content: dict[str, Any], where: str, name: str) -> Protocol:
    found = build(Protocol, content, where, name=name)
    masking = found.masking
    chances = (masking.none, masking.audio, masking.visual, masking.random)
    if not (min(chances) >= 0 and abs(sum(chances) - 1) <= 1e-9):  # so that NaN fails
        raise InvalidDefinition(f"{where}: masking.none, audio, visual and random must be 0 or more, and sum to 1")
    if masking.none + masking.random == 0:
        raise InvalidDefinition(
            f"{where}: masking.none and masking.random are both 0, which leaves uni-modal masking nothing"
        )
    if not 0 <= masking.start <= 1 or masking.length < 1:
        raise InvalidDefinition(f"{where}: masking.start must be a probability, and masking.length 1 at least")
    return found


def _resolve(name: str, sections: dict[str, Any], found: dict[str, Arm], above: tuple[str, ...]) -> Arm:
    """The arm of that name, after the arms it is taught by."""
    if name in above:
        raise InvalidDefinition(f"arms.toml [{name}]: teachers run in a circle: {' <- '.join([*above, name])}")
    if name not in found:
        where = f"arms.toml [{name}]"
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


def _inherited(name: str, sections: dict[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
    """The section of an arm over those it is like."""
    where = f"arms.toml [{name}]"
    if name in above:
        raise InvalidDefinition(f"{where}: likenesses run in a circle: {' <- '.join([*above, name])}")
    content = section(sections[name], where)
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
