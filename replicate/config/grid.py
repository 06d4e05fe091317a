"""The grid of a sweep: changed arms and protocols, read from ``tables/sweep.toml``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from replicate.config import folders
from replicate.config.arms import arms, changed
from replicate.config.protocols import protocol
from replicate.config.toml import known, merged, section
from replicate.errors import InvalidDefinition
from replicate.rng import generator
from replicate.training.config import Arm, Masking, Protocol

_OF_ARM = ("context_layers", "gnn_heads", "dropout")
_OF_MASKING = tuple(f"masking.{field.name}" for field in fields(Masking))

Change = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Trial:
    """One point of the grid; trial 0 is the unchanged arm.

    Attributes:
        change: values by key, of the arm and of the protocol ("masking.length"), that differ from trial 0.
    """

    number: int
    change: Mapping[str, Any]
    arm: Arm
    protocol: Protocol

    @property
    def words(self) -> str:
        """What differs, such as ``context_layers=4, masking.length=3``."""
        return ", ".join(f"{key}={value}" for key, value in self.change.items()) or "unchanged"


def arm_with_grid(name: str) -> Arm:
    """The arm of that name.

    Raises:
        InvalidDefinition: no arm, or none with a section in ``sweep.toml``.
    """
    found = arms()
    known(name, folders.sections("sweep"), "sweep.toml", "arm")
    return found[known(name, found, "sweep.toml", "arm")]


def trials(arm: Arm, asked: Protocol, count: int) -> tuple[tuple[Trial, ...], int]:
    """The unchanged arm, ``count`` other points of its grid in ``sweep.toml``, and how many there are.

    Points are drawn without replacement, the same ones every time, and more of them begin with the fewer; 0 takes all.

    Raises:
        InvalidDefinition: the arm has no grid, or one of the grid's points makes no arm or no protocol.
    """
    points = _points(arm, asked)
    total = len(points)
    order = torch.randperm(total, generator=generator(0, "sweep")).tolist()
    chosen = [points[i] for i in (order[:count] if count else range(total))]
    return tuple(replace(point, number=i) for i, point in enumerate([Trial(0, {}, arm, asked), *chosen])), total


def _points(arm: Arm, asked: Protocol) -> list[Trial]:
    """Every point of the arm's grid once, without the unchanged arm; all of them checked, numbered 0."""
    found_in = folders.sections("sweep")[arm.name]
    where = found_in.where
    content = section(found_in.content, where)
    options = [_options(key, values, arm, where) for key, values in content.items()]
    for first, second in itertools.combinations(options, 2):
        for each in set().union(*first) & set().union(*second):
            raise InvalidDefinition(f"{where}: {each} is listed by two keys")
    stands = {key: getattr(arm, key) for key in _OF_ARM}
    stands |= {key: getattr(arm.method, key.partition(".")[2]) for key in _of_method(arm)}
    stands |= {key: getattr(asked.masking, key.partition(".")[2]) for key in _OF_MASKING}
    # A grid has far more points than arms and protocols: each is made and checked once.
    named = list(arms().values())
    made: dict[Change, Arm] = {(): arm}
    protocols: dict[Change, Protocol] = {(): asked}
    found: dict[Change, Trial] = {}
    for combination in itertools.product(*options):
        values = {key: value for each in combination for key, value in each.items() if value != stands[key]}
        of_arm = tuple((key, value) for key, value in values.items() if key not in _OF_MASKING)
        settings = tuple((key, value) for key, value in values.items() if key in _OF_MASKING)
        if of_arm not in made:
            made[of_arm] = _arm(arm, of_arm, named, where)
        if settings not in protocols:
            protocols[settings] = _protocol(asked, settings, where)
        if values:
            found[of_arm + settings] = Trial(0, values, made[of_arm], protocols[settings])
    return list(found.values())


def _options(key: str, values: Any, arm: Arm, where: str) -> list[dict[str, Any]]:
    """What one key of a grid lists, each as values by setting."""
    if key.startswith("distillation.") and arm.method is None:
        raise InvalidDefinition(f"{where}, key {key!r}: the arm has no teacher")
    known(key, (*_OF_ARM, *_of_method(arm), "masking", *_OF_MASKING), where, "key")
    if not isinstance(values, list) or not values:
        raise InvalidDefinition(f"{where}, key {key!r}: it needs a list of values")
    if key.startswith("masking") and not any(each.masked for each in arm.with_teachers):
        raise InvalidDefinition(f"{where}, key {key!r}: the arm is not masked")
    if key == "masking":
        options = [{f"masking.{k}": v for k, v in section(each, f"{where}, masking").items()} for each in values]
    else:
        options = [{key: value} for value in values]
    for name, value in itertools.chain.from_iterable(option.items() for option in options):
        if key == "masking":
            known(name, _OF_MASKING, where, "setting")
        if not isinstance(value, int | float | str):
            raise InvalidDefinition(f"{where}, key {key!r}: {value!r} is no single value")
    return options


def _of_method(arm: Arm) -> tuple[str, ...]:
    """Keys of the arm's method of distillation that take a single value."""
    settings = () if arm.method is None else fields(arm.method)
    return tuple(f"distillation.{each.name}" for each in settings if each.name not in ("method", "alignment"))


def _arm(arm: Arm, change: Change, named: list[Arm], where: str) -> Arm:
    """The arm with some values changed, named by what was."""
    nested: dict[str, Any] = {}
    for key, value in change:
        group, _, name = key.rpartition(".")
        nested = merged(nested, {group: {name: value}} if group else {name: value})
    other = changed(arm, nested, where)
    # One that has a name in arms.toml goes by it: the store's records call a run the same, whoever trained it.
    same = (each for each in named if replace(each, name=arm.name, distillation=each.method) == other)
    return next(same, replace(other, name=f"{arm.name}+{_joined(change)}"))


def _protocol(asked: Protocol, change: Change, where: str) -> Protocol:
    """The protocol with some settings changed, named as ``--protocol`` takes it."""
    try:
        return protocol(f"{asked.name}{',' if '+' in asked.name else '+'}{_joined(change)}")
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from error


def _joined(change: Change) -> str:
    return ",".join(f"{key}={value}" for key, value in change)
