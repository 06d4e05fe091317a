"""Grids of sweeps, read from ``sweep.toml``: an arm and a protocol with other values for some settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from replicate.config.arms import arm, arms, changed, refuse_other_streams
from replicate.config.folders import Definition
from replicate.config.privileged import PAPER, sections
from replicate.config.protocols import protocol
from replicate.config.toml import known, merged, section
from replicate.errors import InvalidDefinition
from replicate.limits import shown
from replicate.rng import permutation
from replicate.training.config import Arm, Protocol

# All points are made and checked before the first is trained.
_MOST_POINTS = 100_000
_OF_ARM = ("context_layers", "gnn_heads", "dropout", "fusion")

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


def arm_with_grid(name: str, privileged: str = PAPER) -> Arm:
    """Return the arm of that name; ``privileged`` has the letters of the privileged streams.

    Raises:
        InvalidDefinition: there is no such arm, or it has no section in ``sweep.toml``.
    """
    grids = sections("sweep", privileged)
    if name not in grids and name not in arms(privileged):
        refuse_other_streams(name)
    return arm(known(name, grids, "sweep.toml", "arm"), privileged)


def check(name: str, privileged: str = PAPER) -> None:
    """Check a section of ``sweep.toml`` as far as that is possible without a protocol.

    Raises:
        InvalidDefinition: there is no such arm, or the section is not a grid.
    """
    definition = sections("sweep", privileged)[name]
    known(name, arms(privileged), definition.where, "arm")
    for key, values in section(definition.content, definition.where).items():
        _require_list(key, values, definition.where)


def trials(arm: Arm, asked: Protocol, count: int, privileged: str = PAPER) -> tuple[tuple[Trial, ...], int]:
    """Return the unchanged arm and ``count`` other points of its grid, and the size of the grid without the former.

    Points are drawn without replacement and always in the same order, so a larger count begins with the same points; 0
    takes all.

    Raises:
        InvalidDefinition: the arm has no grid, or a point of the grid is not a valid arm or protocol.
    """
    grid = sections("sweep", privileged)[arm.name]
    found = points(arm, grid, asked, privileged)
    total = len(found)
    order = permutation(total, 0, "sweep")
    chosen = [found[i] for i in (order[:count] if count else range(total))]
    return tuple(replace(point, number=i) for i, point in enumerate([Trial(0, {}, arm, asked), *chosen])), total


def points(arm: Arm, grid: Definition, asked: Protocol, privileged: str = PAPER) -> list[Trial]:
    """Return every point of a grid once, without the unchanged arm. All are checked, and have number 0.

    Raises:
        InvalidDefinition: the grid has an unknown key, or a point is not a valid arm or protocol.
    """
    where = grid.where
    of_masking = tuple(f"masking.{each.name}" for each in fields(asked.masking) if each.init)
    options = [_options(key, values, arm, of_masking, where) for key, values in section(grid.content, where).items()]
    size = math.prod(map(len, options))
    if size > _MOST_POINTS:
        raise InvalidDefinition(f"{where}: its grid has {size:,} points, more than {_MOST_POINTS:,}: list fewer values")
    for first, second in itertools.combinations(options, 2):
        for each in set().union(*first) & set().union(*second):
            raise InvalidDefinition(f"{where}: {each} is listed by two keys")
    arm = arm.resolved(asked.model)
    stands = {key: getattr(arm, key) for key in _OF_ARM}
    stands |= {key: getattr(arm.method, key.partition(".")[2]) for key in _of_method(arm)}
    stands |= {key: getattr(asked.masking, key.partition(".")[2]) for key in of_masking}
    # A grid has many more points than different arms or protocols, so each of these is built once.
    named = [each.resolved(asked.model) for each in arms(privileged).values()]
    made: dict[Change, Arm] = {(): arm}
    protocols: dict[Change, Protocol] = {(): asked}
    found: dict[Change, Trial] = {}
    for combination in itertools.product(*options):
        values = {key: value for each in combination for key, value in each.items() if value != stands[key]}
        of_arm = tuple((key, value) for key, value in values.items() if key not in of_masking)
        settings = tuple((key, value) for key, value in values.items() if key in of_masking)
        if of_arm not in made:
            made[of_arm] = _arm(arm, of_arm, named, where)
        if settings not in protocols:
            protocols[settings] = _protocol(asked, settings, where)
        if values:
            found[of_arm + settings] = Trial(0, values, made[of_arm], protocols[settings])
    return list(found.values())


def _options(key: str, values: Any, arm: Arm, of_masking: tuple[str, ...], where: str) -> list[dict[str, Any]]:
    """Return the alternatives that one key of a grid lists, each as values by setting."""
    if key.startswith("distillation.") and arm.method is None:
        raise InvalidDefinition(f"{where}, key {key!r}: the arm has no distillation method")
    known(key, (*_OF_ARM, *_of_method(arm), "masking", *of_masking), where, "key")
    _require_list(key, values, where)
    if key.startswith("masking") and not any(each.masked for each in arm.with_teachers):
        raise InvalidDefinition(f"{where}, key {key!r}: the arm is not masked")
    if key == "masking":
        options = [{f"masking.{k}": v for k, v in section(each, f"{where}, masking").items()} for each in values]
    else:
        options = [{key: value} for value in values]
    for name, value in itertools.chain.from_iterable(option.items() for option in options):
        if key == "masking":
            known(name, of_masking, where, "setting")
        if not isinstance(value, int | float | str):
            raise InvalidDefinition(f"{where}, key {key!r}: {shown(value)} is not a single value")
    return options


def _require_list(key: str, values: Any, where: str) -> None:
    if not isinstance(values, list) or not values:
        raise InvalidDefinition(f"{where}, key {key!r}: it needs a list of values")


def _of_method(arm: Arm) -> tuple[str, ...]:
    """Return the keys of the arm's distillation method that take a single value."""
    if arm.method is None:
        return ()
    single = (each for each in fields(arm.method) if each.init and not is_dataclass(getattr(arm.method, each.name)))
    return tuple(f"distillation.{each.name}" for each in single)


def _arm(arm: Arm, change: Change, named: list[Arm], where: str) -> Arm:
    """Return the arm with some values changed, named after them."""
    nested: dict[str, Any] = {}
    for key, value in change:
        group, _, name = key.rpartition(".")
        nested = merged(nested, {group: {name: value}} if group else {name: value})
    other = changed(arm, nested, where)
    # An arm that is in arms.toml keeps its name there, so that records of the same run have the same name.
    same = (each for each in named if replace(each, name=arm.name, distillation=each.method) == other)
    return next(same, replace(other, name=f"{arm.name}+{_joined(change)}"))


def _protocol(asked: Protocol, change: Change, where: str) -> Protocol:
    """Return the protocol with some settings changed, named as ``--protocol`` takes it."""
    try:
        return protocol(f"{asked.name}{',' if '+' in asked.name else '+'}{_joined(change)}")
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{where}: {error}") from error


def _joined(change: Change) -> str:
    return ",".join(f"{key}={value}" for key, value in change)
