"""The outcome of the paper's claims by the rule of ``tables/claims.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from replicate.config.claims import Claim, Rule, Statement, load
from replicate.config.privileged import PAPER
from replicate.results.aggregate import Cell, TableResult
from replicate.results.statistics import Summary, permutation_p, summarise

Outcome = Literal["reproduced", "contradicted", "undecided"]


@dataclass(frozen=True)
class JudgedStatement:
    """A statement with the numbers that decide it.

    Attributes:
        margin: the number that the measured difference is compared with, in weighted F1.
        difference: first cell minus second cell, over seeds; None if a cell was not measured.
        p: p value for the statement. p_opposite: p value for its opposite. Both are None with one seed.
        holds: True, False, or None if neither test is significant.
        published: difference of the published values; None if the paper gives none.
    """

    statement: Statement
    margin: float
    difference: Summary | None
    p: float | None
    p_opposite: float | None
    holds: bool | None
    published: float | None


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its outcome; None if some cells were not measured and no measured statement fails."""

    claim: Claim
    statements: tuple[JudgedStatement, ...]
    outcome: Outcome | None


def judge(results: Mapping[str, TableResult]) -> tuple[Rule, list[JudgedClaim]]:
    """Return the rule and all judged claims; ``results`` are tables by name.

    The list is empty if not a single statement could be tested, because its cells were not measured.
    """
    rule, claims = load(next((result.table.privileged for result in results.values()), PAPER))
    judged = []
    for claim in claims:
        statements = tuple(_judge(statement, rule, results) for statement in claim.statements)
        judged.append(JudgedClaim(claim, statements, _outcome(statements)))
    measured = any(each.difference is not None for claim in judged for each in claim.statements)
    return rule, judged if measured else []


def _outcome(statements: tuple[JudgedStatement, ...]) -> Outcome | None:
    if any(statement.holds is False for statement in statements):
        return "contradicted"
    if any(statement.difference is None for statement in statements):
        return None
    return "reproduced" if all(statement.holds for statement in statements) else "undecided"


def _judge(statement: Statement, rule: Rule, results: Mapping[str, TableResult]) -> JudgedStatement:
    margin = rule.margins.of(statement.relation) if statement.margin is None else statement.margin
    cells = {name: _cell(name, results) for name, _ in statement.cells}
    found = {name: cell for name, cell in cells.items() if cell is not None}
    published = _published(statement, found)
    if len(found) < len(cells):
        return JudgedStatement(statement, margin, None, None, None, None, published)
    values = _measured(statement, found)
    more = permutation_p(values - margin, "greater")
    less = permutation_p(values - margin, "less")
    p, opposite = (less, more) if statement.relation == "hardly above" else (more, less)
    holds = None
    if p is not None and opposite is not None:
        holds = True if p <= rule.level else False if opposite <= rule.level else None
    return JudgedStatement(statement, margin, summarise(values), p, opposite, holds, published)


def _measured(statement: Statement, cells: Mapping[str, Cell]) -> NDArray[np.float64]:
    if statement.measure == "difference":
        return np.sum([sign * np.asarray(cells[name].values) for name, sign in statement.cells], axis=0)
    gains = np.asarray(cells[statement.first].by_class) - np.asarray(cells[statement.second].by_class)
    return gains.max(1) - gains.mean(1)


def _published(statement: Statement, cells: Mapping[str, Cell]) -> float | None:
    """Return the difference of the published values; the paper publishes no numbers by class."""
    published = {name: cell.published for name, cell in cells.items()}
    values = [sign * value for name, sign in statement.cells if (value := published.get(name)) is not None]
    return sum(values) if len(values) == len(statement.cells) and statement.measure == "difference" else None


def _cell(name: str, results: Mapping[str, TableResult]) -> Cell | None:
    table, _, cell = name.partition("/")
    return results[table].cell(cell) if table in results else None
