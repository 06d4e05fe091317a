"""How the statements of claims, their numbers and what would decide them are put into words."""

from __future__ import annotations

from replicate.config.claims import Rule, Statement
from replicate.corpus.types import Control
from replicate.report import text
from replicate.report.types import Column
from replicate.results.claims import JudgedStatement, Measured
from replicate.results.sizes import Needed

COLUMNS = (
    Column("first", "name"),
    Column("relation", "name"),
    Column("second", "name"),
    Column("measured [95 % interval]", "measured"),
    Column("p (Holm)"),
    Column("paper", "paper"),
    Column("statement", "verdict"),
    Column("to decide it", "verdict"),
)


def columns(control: Control) -> tuple[Column, ...]:
    """Return the columns of statements; the paper's numbers are not of a control."""
    return tuple(column for column in COLUMNS if not control or column.kind != "paper")


def line(each: JudgedStatement, control: Control = "") -> list[str]:
    """Return one text per column."""
    published = text.MISSING if each.published is None else f"{each.published:+.3f}"
    first, second = sides(each.statement)
    return [
        first,
        _relation(each),
        second,
        measured(each.measured),
        text.p_value(each.p),
        *([] if control else [published]),
        state(each) + _margins(each),
        to_decide(each.needed),
    ]


def in_one(each: JudgedStatement) -> str:
    """Return the statement as one text."""
    first, second = sides(each.statement)
    return f"{first} {_relation(each)} {second}"


def measured(found: Measured | None) -> str:
    """Return value and interval, with the class that they are of."""
    if found is None:
        return text.MISSING
    interval = "" if found.ci95 is None else f" [{found.ci95[0]:+.3f}, {found.ci95[1]:+.3f}]"
    return f"{found.value:+.3f}{interval}" + (f" ({found.emotion})" if found.emotion else "")


def state(each: JudgedStatement) -> str:
    """Return whether the statement holds, in one word or two."""
    if each.measured is None:
        return "not measured"
    return {True: "holds", False: "fails", None: "open"}[each.holds]


def to_decide(needed: Needed | None) -> str:
    """Return what would decide an open statement."""
    if needed is None:
        return text.MISSING
    if needed.seeds is None and needed.dialogues is None:
        return "too close to the margin for any size"
    if needed.dialogues is None:
        return f"about {needed.seeds:,} seeds"
    tested = f"{needed.dialogues:,} test {'speakers' if needed.by_speaker else 'dialogues'}"
    if needed.seeds is None:
        return f"not by seeds: about {tested}"
    return f"about {needed.seeds:,} seeds and {tested}"


def _margins(each: JudgedStatement) -> str:
    """Return the outcome at other margins of equivalence, as in `` (0.02: open, 0.05: holds)``."""
    words = {True: "holds", False: "fails", None: "open"}
    others = [f"{margin:g}: {words[holds]}" for margin, holds in each.margins if margin != each.margin]
    return f" ({', '.join(others)})" if others else ""


def _relation(each: JudgedStatement) -> str:
    relation, margin = each.statement.relation, f"{each.margin:g}"
    if relation == "within":
        return f"within (± {margin})"
    if relation == "evenly above":
        return f"gains evenly by class over (< {margin})"
    if relation == "least certain of":
        return "has lower recall than"
    return f"{relation} (> {margin})"


def sides(statement: Statement) -> tuple[str, str]:
    """Return the texts left and right of the relation: a cell, the difference of two cells, or a class of a cell."""
    if statement.relation == "least certain of":
        return f"{statement.emotion} in {statement.first}", "every other class"
    first, second = statement.first, statement.second
    return (
        f"{first} - {statement.first_minus}" if statement.first_minus else first,
        f"{second} - {statement.second_minus}" if statement.second_minus else second,
    )


_CLAIMS: dict[Control, str] = {
    "": "A claim is reproduced if all its statements hold, contradicted if one fails, and undecided otherwise.",
    "positive": "This corpus is a positive control: a claim that is built into it is found if all its statements hold, "
    "and missed otherwise; whether other claims hold tells nothing.",
    "negative": "This corpus is a negative control: no model that is trained with privileged streams can be above one "
    "of speech alone for what these streams tell. A claim that says so is found although not built in if such a "
    "statement holds; other claims are not tested.",
}


def rule(found: Rule, control: Control = "") -> str:
    """Return how claims are judged, in words."""
    return (
        f"Rule (tables/claims.toml): {found.test}. A statement holds where p is at or below {found.level:g} and the "
        "measured value is on its side of the margin, fails where it is on the other side, and is open otherwise. p is "
        "corrected with the comparisons of the table of the first cell (Holm), so that a claim never contradicts a "
        f"table. {_CLAIMS[control]}"
    )


DECIDING = (
    "'To decide it': seeds, or test dialogues or speakers where no number of seeds is enough, with which the statement "
    "would be decided with a probability of 80 % if the measured value is the true one."
)
