"""The outcome of the paper's claims by the rule of ``tables/claims.toml``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from replicate.config.claims import Claim, Rule, Statement, load
from replicate.config.privileged import PAPER
from replicate.corpus.types import Control
from replicate.metrics import DEFAULT
from replicate.results.aggregate import TableResult
from replicate.results.cell import Cell
from replicate.results.contrasts import Tested, by_class, compare, difference
from replicate.results.controls import is_gain, of_built, of_gains
from replicate.results.outcomes import Outcome
from replicate.results.sizes import Needed
from replicate.results.statistics import holm, largest_p


@dataclass(frozen=True)
class Measured:
    """The number that a statement is about.

    Attributes:
        value: a difference of scores. ci95: its interval; None with one seed.
        emotion: the class that it is of, for statements about single classes.
    """

    value: float
    ci95: tuple[float, float] | None
    n: int
    emotion: str = ""


@dataclass(frozen=True)
class JudgedStatement:
    """A statement with the numbers that decide it.

    Attributes:
        margin: the number that the difference is compared with, in the units of F1.
        measured: None if a cell was not measured, or lacks the emotion.
        p: two-sided, for the difference being at the margin, corrected with the comparisons of the table; None with one
            seed.
        holds: True, False, or None if p is above the level.
        published: difference of the published values; None if the paper gives none.
        needed: what would decide it; None where it is decided or not measured.
        margins: for "within": whether it holds at each of the rule's margins.
    """

    statement: Statement
    margin: float
    measured: Measured | None = None
    p: float | None = None
    holds: bool | None = None
    published: float | None = None
    needed: Needed | None = None
    margins: tuple[tuple[float, bool | None], ...] = ()


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its outcome.

    Attributes:
        outcome: None if some cells were not measured and the others do not decide it.
        control: what the corpus is a control of; decides which of ``outcomes.OUTCOMES`` are possible.
    """

    claim: Claim
    statements: tuple[JudgedStatement, ...]
    outcome: Outcome | None
    control: Control = ""


def judge(results: Mapping[str, TableResult]) -> tuple[Rule, list[JudgedClaim]]:
    """Return the rule and all judged claims; ``results`` are tables by name. Claims are about weighted F1.

    The list is empty if not a single statement could be tested, because its cells were not measured.
    """
    rule, claims = load(next((result.table.privileged for result in results.values()), PAPER))
    under_f1 = {name: result if result.metric == DEFAULT else result.of(DEFAULT) for name, result in results.items()}
    judged = []
    for claim in claims:
        statements = tuple(_judge(statement, rule, under_f1) for statement in claim.statements)
        judged.append(JudgedClaim(claim, statements, *_outcome(claim, statements, under_f1)))
    measured = any(each.measured is not None for claim in judged for each in claim.statements)
    return rule, judged if measured else []


def _outcome(
    claim: Claim, statements: tuple[JudgedStatement, ...], results: Mapping[str, TableResult]
) -> tuple[Outcome | None, Control]:
    """Return the outcome of a claim in the words for this kind of corpus, and which kind it is."""
    first = next(iter(results.values()), None)
    plain = _of_paper(statements)
    if first is None or not first.control:
        return plain, ""
    if first.control == "positive":
        # In other splits, test has utterances without missing features.
        return of_built(plain, claim.built and not first.folds), "positive"
    gains = [each for each in statements if is_gain(each.statement, first.table.privileged)]
    if not gains:
        return plain and "not tested", "negative"
    return of_gains([each.holds for each in gains if each.measured is not None], len(gains)), "negative"


def _of_paper(statements: tuple[JudgedStatement, ...]) -> Outcome | None:
    """Return the outcome of a claim on data."""
    if any(statement.holds is False for statement in statements):
        return "contradicted"
    if any(statement.measured is None for statement in statements):
        return None
    return "reproduced" if all(statement.holds for statement in statements) else "undecided"


def _judge(statement: Statement, rule: Rule, results: Mapping[str, TableResult]) -> JudgedStatement:
    margin = rule.margins.of(statement.relation) if statement.margin is None else statement.margin
    cells = [(_cell(name, results), sign) for name, sign in statement.cells]
    found = [(cell, sign) for cell, sign in cells if cell is not None]
    published = _published(statement, found)
    if len(found) < len(cells):
        return JudgedStatement(statement, margin, published=published)
    contrasts = by_class(statement, found) if statement.by_class else {"": difference(found)}
    if not contrasts:
        return JudgedStatement(statement, margin, published=published)

    family = _family(statement, results)

    def test(at: float) -> tuple[Tested, float | None, bool | None]:
        """Return the test at a margin, its corrected p, and whether the statement holds."""
        made = compare(statement.relation, contrasts, at)
        p = holm([made.p, *family])[0]
        return made, p, made.holds if p is not None and p <= rule.level else None

    made, p, holds = test(margin)
    decisive = contrasts[made.emotion]
    return JudgedStatement(
        statement,
        margin,
        Measured(decisive.mean, made.ci95, decisive.n, made.emotion),
        p,
        holds,
        published,
        made.needed(largest_p(family, rule.level)) if holds is None else None,
        tuple((each, test(each)[2]) for each in rule.within) if statement.relation == "within" else (),
    )


def _family(statement: Statement, results: Mapping[str, TableResult]) -> list[float | None]:
    """Return the p values with which that of a statement is corrected (Holm): those of the table of the first cell.

    The table's own comparison of the same two cells is left out, because p takes its place. So the two never contradict
    each other: p for a margin is never smaller than the table's p for a difference of the same sign.
    """
    table = results[statement.first.partition("/")[0]]
    family = [each.p for each in table.comparisons]
    if not statement.by_class:
        own = _content([(_cell(name, results), sign) for name, sign in statement.cells])
        for place, each in enumerate(table.comparisons):
            if _content([(table.cell(each.first), 1), (table.cell(each.second), -1)]) in (own, _negative(own)):
                del family[place]
                break
    return family


def _content(cells: Sequence[tuple[Cell | None, int]]) -> dict[tuple[Hashable, ...], int]:
    """Return predictions with their factors. Cells of the same runs are one: two of Table 1's teachers cancel."""
    found: Counter[tuple[Hashable, ...]] = Counter()
    for cell, sign in cells:
        if cell is not None:
            found[cell.runs, cell.statistics.tobytes()] += sign
    return {content: factor for content, factor in found.items() if factor}


def _negative(content: Mapping[tuple[Hashable, ...], int]) -> dict[tuple[Hashable, ...], int]:
    return {each: -factor for each, factor in content.items()}


def _published(statement: Statement, cells: list[tuple[Cell, int]]) -> float | None:
    """Return the difference of the published values; the paper publishes no numbers by class."""
    values = [sign * cell.published for cell, sign in cells if cell.published is not None]
    return sum(values) if len(values) == len(statement.cells) and not statement.by_class else None


def _cell(name: str, results: Mapping[str, TableResult]) -> Cell | None:
    table, _, cell = name.partition("/")
    return results[table].cell(cell) if table in results else None
