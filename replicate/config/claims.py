"""The paper's claims and the rule by which they are judged, read from ``claims.toml``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from replicate.config import folders, tables
from replicate.config.privileged import PAPER, filled
from replicate.config.toml import build, known, section, sections
from replicate.errors import InvalidDefinition

Relation = Literal["above", "far above", "within", "evenly above", "least certain of"]


@dataclass(frozen=True)
class Margins:
    """Default margins of the relations, in the units of F1."""

    above: float
    far: float
    within: float
    even: float

    def of(self, relation: Relation) -> float:
        """Return the margin of a relation."""
        return {
            "above": self.above,
            "far above": self.far,
            "within": self.within,
            "evenly above": self.even,
            "least certain of": 0.0,
        }[relation]


@dataclass(frozen=True)
class Rule:
    """How claims are judged.

    Attributes:
        test: in words. level: of the test.
        within: margins of equivalence at which the outcome is shown next to that of ``margins.within``.
    """

    test: str
    level: float
    margins: Margins
    within: tuple[float, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One comparison of two cells, "table/row/context", or of two differences: first - first_minus and so on.

    Attributes:
        margin: replaces that of the rule.
        emotion: class of "least certain of", which has no second cell.
    """

    first: str
    relation: Relation
    second: str = ""
    margin: float | None = None
    first_minus: str = ""
    second_minus: str = ""
    emotion: str = ""

    def __post_init__(self) -> None:
        alone = self.relation == "least certain of"
        for key, needed in (("second", not alone), ("emotion", alone)):
            if needed and not getattr(self, key):
                raise InvalidDefinition(f"relation {self.relation!r} needs the key {key!r}")
            if not needed and getattr(self, key):
                raise InvalidDefinition(f"relation {self.relation!r} takes no {key!r}: remove the key")
        if self.by_class and (self.first_minus or self.second_minus):
            raise InvalidDefinition(f"relation {self.relation!r} takes no first_minus and no second_minus: remove them")
        if self.margin is not None and (alone or not 0 <= self.margin < 1):
            raise InvalidDefinition(f"margin = {self.margin} must be from 0 to below 1" + ", and here 0" * alone)

    @property
    def by_class(self) -> bool:
        """Whether it is about scores of single classes."""
        return self.relation in ("evenly above", "least certain of")

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Return every cell with its sign in the difference."""
        signed = [(self.first, 1), (self.second, -1), (self.first_minus, -1), (self.second_minus, 1)]
        return [(name, sign) for name, sign in signed if name]


@dataclass(frozen=True)
class Claim:
    """One claim; it is reproduced if all its statements hold.

    Attributes:
        built: whether the positive control is built so that the claim holds on it, see ``replicate.corpus.synthetic``.
    """

    number: int
    text: str
    built: bool = False
    statements: tuple[Statement, ...] = field(default_factory=tuple)

    @property
    def tables(self) -> set[str]:
        """The names of the tables that its cells are in."""
        return {cell.partition("/")[0] for statement in self.statements for cell, _ in statement.cells}


def load(privileged: str = PAPER) -> tuple[Rule, tuple[Claim, ...]]:
    """Return the rule and the claims, checked against the tables. A user's files may add claims, not change the rule.

    Args:
        privileged: letters of the privileged streams.

    Raises:
        InvalidDefinition: an unknown key, table, row or context, or two claims of one number.
    """
    default, *own = folders.files("claims")
    table = functools.cache(functools.partial(tables.table, privileged=privileged))  # many cells name the same
    rule = _rule(default)
    claims: dict[int, Claim] = {}
    places: dict[int, str] = {}
    for file in (default, *own):
        content = filled(file.content, privileged, file.where)
        content = {key: value for key, value in content.items() if file is not default or key != "rule"}
        for number, each in enumerate(sections(content.pop("claims", []), f"{file.where}, claims"), 1):
            where = f"{file.where}, claim {number}"
            claim = _claim(each, table, where)
            if claim.number in claims:
                raise InvalidDefinition(f"{where}: {places[claim.number]} has number {claim.number}, too; change one")
            claims[claim.number], places[claim.number] = claim, where
        for key in content:
            raise InvalidDefinition(f"{file.where}: unknown key {key!r}: there are rule (packaged) and claims")
    return rule, tuple(claims.values())


def _rule(file: folders.Definition) -> Rule:
    where = f"{file.where} [rule]"
    rule = build(Rule, section(file.content.get("rule"), where), where)
    if not 0 < rule.level < 1:
        raise InvalidDefinition(f"{where}: level must be between 0 and 1")
    return rule


def _claim(content: dict[str, Any], table: Callable[[str], tables.Table], where: str) -> Claim:
    statements = tuple(
        build(Statement, one, f"{where}, statement {i}")
        for i, one in enumerate(sections(content.pop("statements", []), f"{where}, statements"), 1)
    )
    if not statements:
        raise InvalidDefinition(f"{where}: a claim needs [[claims.statements]]")
    for statement in statements:
        for cell, _ in statement.cells:
            _check_cell(cell, table, where)
    return build(Claim, content, where, ("statements",), statements=statements)


def _check_cell(cell: str, table: Callable[[str], tables.Table], where: str) -> None:
    name, _, rest = cell.partition("/")
    found = table(known(name, tables.table_names(), where, "table"))
    known(rest, [f"{row.name}/{context}" for row in found.rows for context in row.contexts], where, f"cell of {name}")
