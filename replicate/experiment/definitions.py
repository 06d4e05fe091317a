"""Reads ``tables/*.toml``: arms, protocols, profiles, tables. All of the experiment is data there, none here."""

from __future__ import annotations

import difflib
import math
import sys
import types
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from replicate.errors import BadSeeds, BadTable, UnknownTable
from replicate.training.settings import CONTEXTS, Arm, Budget, Masking, Protocol

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")
_NOT_TABLES = {"arms", "protocols", "profiles", "claims"}


@dataclass(frozen=True)
class Row:
    """One row of a table: an arm under the paper's name for it, with the published weighted F1 by context."""

    name: str
    arm: str
    published: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One table of the paper."""

    name: str
    title: str
    source: str
    contexts: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Profile:
    """How much work: a default corpus, seeds, a training budget."""

    name: str
    corpus: str
    seeds: tuple[int, ...]
    budget: Budget


def folder() -> Path:
    """Where the TOML files are: inside an installed package, else beside it in the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_tables"
    return installed if installed.is_dir() else package.parent / "tables"


def arms() -> dict[str, Arm]:
    """All arms of ``arms.toml`` by name.

    Raises:
        BadTable: naming file, section and key.
    """
    found = {}
    for name, section in _read("arms").items():
        arm = _build(Arm, section, f"arms.toml [{name}]", name=name)
        for context in (arm.train, arm.select, *arm.contexts):
            _known(context, CONTEXTS, f"arms.toml [{name}]", "context")
        for context in arm.contexts:
            if not set(CONTEXTS[context]) <= set(arm.streams):
                raise BadTable(f"arms.toml [{name}]: context {context} needs a stream that {arm.train} lacks")
        if arm.select not in arm.contexts:
            raise BadTable(f"arms.toml [{name}]: select = {arm.select!r} is none of its contexts")
        if min(arm.context_layers, arm.gnn_heads) < 1 or min(arm.window) < 0 or not 0 <= arm.dropout < 1:
            raise BadTable(f"arms.toml [{name}]: layers and heads from 1, window from 0, dropout from 0 to below 1")
        if arm.masked and arm.train != "AV":
            raise BadTable(f"arms.toml [{name}]: masking needs train = 'AV'")
        found[name] = arm
    return found


def protocol(name: str) -> Protocol:
    """The reading of the paper of that name.

    Raises:
        BadTable: unknown, or its section is not well-formed.
    """
    sections = _read("protocols")
    where = f"protocols.toml [{_known(name, sections, 'protocols.toml', 'protocol')}]"
    section = _section(sections[name], where)
    masking = _build(Masking, section.pop("masking", {}), f"{where}.masking")
    chances = (masking.none, masking.audio, masking.visual, masking.random)
    if not (min(chances) >= 0 and abs(sum(chances) - 1) <= 1e-9):  # so that NaN fails
        raise BadTable(f"{where}.masking: none, audio, visual and random must be 0 or more, and sum to 1")
    if not 0 <= masking.start <= 1 or masking.length < 1:
        raise BadTable(f"{where}.masking: start must be a probability, and length 1 at least")
    return _build(Protocol, section, where, name=name, masking=masking)


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        BadTable: unknown, or its section is not well-formed.
    """
    sections = _read("profiles")
    where = f"profiles.toml [{_known(name, sections, 'profiles.toml', 'profile')}]"
    section = _section(sections[name], where)
    own = {key: section.pop(key) for key in ("corpus", "seeds") if key in section}
    found = _build(Profile, own, where, name=name, budget=_build(Budget, section, where))
    if not found.seeds or len(set(found.seeds)) < len(found.seeds):
        raise BadTable(f"{where}: seeds are none, or repeat")
    budget = found.budget
    if min(budget.epochs, budget.batch) < 1 or min(found.seeds) < 0:
        raise BadTable(f"{where}: epochs and batch must be 1 at least, seeds 0 at least")
    if not 0 < budget.learning_rate < math.inf or not 0 <= budget.weight_decay < math.inf:
        raise BadTable(f"{where}: learning_rate must be above 0, weight_decay 0 at least")
    return found


def table_names() -> list[str]:
    """Names that ``table`` knows, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml") if path.stem not in _NOT_TABLES)


def table(name: str) -> Table:
    """The table of that name, checked against the arms.

    Raises:
        UnknownTable: no such file. BadTable: an unknown key, arm or context.
    """
    if name not in table_names():
        raise UnknownTable(f"no table {name!r}: {_choices(name, table_names())}")
    content = _read(name)
    known = arms()
    rows: list[Row] = []
    sections = content.pop("rows", [])
    if not isinstance(sections, list):
        raise BadTable(f"{name}.toml: rows are written as [[rows]] sections")
    for number, section in enumerate(sections, 1):
        where = f"{name}.toml, row {number}"
        row = _build(Row, section, where)
        if row.name in (other.name for other in rows):
            raise BadTable(f"{where}: there is a row {row.name!r} above already")
        _known(row.arm, known, where, "arm")
        for context in row.published:
            _known(context, known[row.arm].contexts, where, "context of the arm")
        rows.append(row)
    found = _build(Table, content, f"{name}.toml", name=name, rows=tuple(rows))
    for context in found.contexts:
        _known(context, CONTEXTS, f"{name}.toml", "context")
    if not rows:
        raise BadTable(f"{name}.toml: a table needs [[rows]]")
    for number, row in enumerate(rows, 1):
        for context, value in row.published.items():
            if not 0 <= value <= 1:
                raise BadTable(f"{name}.toml, row {number}: published {value} is no F1 between 0 and 1")
            _known(context, found.contexts, f"{name}.toml, row {number}", "context of the table")
    return found


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "24,25,26", or as many as a single number says, from 24 on (the released code's seed).

    Raises:
        BadSeeds: no numbers, negative, repeated, or none.
    """
    advice = "give numbers with commas, such as 24,25,26, or a single count, such as 5"
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise BadSeeds(f"seeds {text!r} are not all whole numbers of a sane size: {advice}")
    numbers = tuple(int(part) for part in parts)
    if len(numbers) == 1 and "," not in text:
        numbers = tuple(range(24, 24 + numbers[0])) if numbers[0] <= 1000 else ()
    if not numbers or len(set(numbers)) < len(numbers):
        raise BadSeeds(f"seeds {text!r} are none, too many, or repeat: {advice}")
    return numbers


def _read(name: str) -> dict[str, Any]:
    path = folder() / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadTable(f"cannot read {path}: {error}; restore it from the repository") from error


def _section(value: Any, where: str) -> dict[str, Any]:
    """A copy of a TOML section."""
    if not isinstance(value, dict):
        raise BadTable(f"{where}: {value!r} is no section with keys")
    return dict(value)


def _known(name: str, names: Any, where: str, what: str) -> str:
    if name not in names:
        raise BadTable(f"{where}: unknown {what} {name!r}: {_choices(name, list(names))}")
    return name


def _choices(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return (f"did you mean {near[0]}? " if near else "") + f"there are {', '.join(names)}"


def _build(cls: type[T], section: Any, where: str, **given: Any) -> T:
    """A dataclass from a TOML section: no unknown key, none missing, every value of its type.

    ``given`` are fields that the section itself must not set.
    """
    values = _section(section, where)
    for key in given.keys() & values.keys():
        raise BadTable(f"{where}: key {key!r} is not set here")
    values |= given
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise BadTable(f"{where}: unknown key {key!r}: {_choices(key, [k for k in known if k != 'name'])}")
    for key, f in known.items():
        if key not in values and f.default is MISSING and f.default_factory is MISSING:
            raise BadTable(f"{where}: key {key!r} is missing")
    return cls(**{key: _typed(value, hints[key], f"{where}, key {key!r}") for key, value in values.items()})


def _typed(value: Any, hint: Any, where: str) -> Any:
    """``value`` as ``hint`` wants it; TOML's arrays become tuples and its whole numbers floats."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is float and type(value) is int:
        return float(value)
    if origin is tuple and isinstance(value, list | tuple):
        if args[-1] is not Ellipsis and len(value) != len(args):
            raise BadTable(f"{where}: {len(args)} values needed, {len(value)} given")
        return tuple(_typed(item, args[0], where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _typed(item, args[1], where) for key, item in value.items()}
    if args and origin not in (tuple, dict, types.UnionType):
        if value in args:
            return value
        raise BadTable(f"{where}: {value!r} is none of {', '.join(map(repr, args))}")
    if origin is None and type(value) is hint:
        return value
    raise BadTable(f"{where}: {value!r} is not of the kind needed")
