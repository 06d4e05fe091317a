"""The paper's claims and the rule by which they are judged, read from ``claims.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from replicate.config import tables, toml
from replicate.config.toml import build, known, section, sections
from replicate.errors import InvalidDefinition

Relation = Literal["above", "far above", "hardly above"]
Measure = Literal["difference", "unevenness"]


@dataclass(frozen=True)
class Margins:
    """What the relations mean by default, in weighted F1."""

    above: float
    far: float
    hardly: float

    def of(self, relation: Relation) -> float:
        """The margin of a relation."""
        return {"above": self.above, "far above": self.far, "hardly above": self.hardly}[relation]


@dataclass(frozen=True)
class Rule:
    """How claims are judged."""

    test: str
    level: float
    margins: Margins


@dataclass(frozen=True)
class Statement:
    """One comparison of two cells, "table/row/context", or of two differences: first - first_minus and so on."""

    first: str
    relation: Relation
    second: str
    margin: float | None = None
    measure: Measure = "difference"
    first_minus: str = ""
    second_minus: str = ""

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Every cell with the sign that it counts with in first - second."""
        signed = [(self.first, 1), (self.second, -1), (self.first_minus, -1), (self.second_minus, 1)]
        return [(name, sign) for name, sign in signed if name]


@dataclass(frozen=True)
class Claim:
    """One claim of the paper: all its statements."""

    number: int
    text: str
    statements: tuple[Statement, ...] = field(default_factory=tuple)


def load() -> tuple[Rule, tuple[Claim, ...]]:
    """The rule and the claims, checked against the tables.

    Raises:
        InvalidDefinition: an unknown key, table, row or context.
    """
    content = toml.read("claims")
    where = "claims.toml"
    rule = build(Rule, section(content.pop("rule", None), f"{where} [rule]"), f"{where} [rule]")
    if not 0 < rule.level < 1:
        raise InvalidDefinition(f"{where} [rule]: level must be between 0 and 1")
    claims = []
    for number, each in enumerate(sections(content.pop("claims", []), f"{where}, claims"), 1):
        place = f"{where}, claim {number}"
        statements = tuple(
            build(Statement, one, f"{place}, statement {i}")
            for i, one in enumerate(sections(each.pop("statements", []), f"{place}, statements"), 1)
        )
        if not statements:
            raise InvalidDefinition(f"{place}: a claim needs [[claims.statements]]")
        for statement in statements:
            for cell, _ in statement.cells:
                _check_cell(cell, place)
        claims.append(build(Claim, each, place, statements=statements))
        if claims[-1].number in (other.number for other in claims[:-1]):
            raise InvalidDefinition(f"{place}: there is a claim number {claims[-1].number} above already")
    for key in content:
        raise InvalidDefinition(f"{where}: unknown key {key!r}: there are rule and claims")
    return rule, tuple(claims)


def _check_cell(name: str, where: str) -> None:
    table, _, cell = name.partition("/")
    found = tables.table(known(table, tables.table_names(), where, "table"))
    known(cell, [f"{row.name}/{context}" for row in found.rows for context in row.contexts], where, f"cell of {table}")
