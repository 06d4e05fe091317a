"""The outcome of the paper's claims, in the terminal and as files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from replicate import grids
from replicate.config.claims import Rule, Statement
from replicate.errors import NotThisFormat
from replicate.files import write_text
from replicate.report import data_files, text
from replicate.report.sections import measured_on
from replicate.report.types import Column, Grid
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim, JudgedStatement, Outcome
from replicate.results.statistics import smallest_p

FILES = ("claims.md", "claims.json")
NOT_MEASURED = "not all of its cells are measured"

_STATEMENT_COLUMNS = (
    Column("first", "name"),
    Column("relation", "name"),
    Column("second", "name"),
    Column("measured [95 % interval]", "measured"),
    Column("p"),
    Column("paper", "paper"),
    Column("statement", "verdict"),
)


@dataclass(frozen=True)
class SavedClaim:
    """A claim in ``claims.json``; ``outcome`` is None where not all of its cells are measured."""

    number: int
    text: str
    outcome: Outcome | None


def read(folder: Path) -> list[SavedClaim]:
    """Return the claims that were saved in a results folder.

    Raises:
        NotThisFormat: ``claims.json`` is missing or malformed.
    """
    path = folder / "claims.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["claims"]
        return [SavedClaim(int(each["number"]), str(each["text"]), each["outcome"]) for each in content]
    except FileNotFoundError as error:
        raise NotThisFormat(f"no {path}: no claim is about a table in this folder; run table1 to table5") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotThisFormat(f"cannot read {path} ({error!r}): write it again with `replicate report`") from error


def title(claim: JudgedClaim) -> str:
    """Return number and text of a claim."""
    return f"{claim.claim.number}. {claim.claim.text}"


def outcome(claim: JudgedClaim) -> str:
    """Return the outcome of a claim in words."""
    return claim.outcome or NOT_MEASURED


def statements(claim: JudgedClaim) -> Grid:
    """Return the statements of one claim, one per line."""
    return Grid(_STATEMENT_COLUMNS, [_line(each) for each in claim.statements])


def grid(judged: list[JudgedClaim]) -> Grid:
    """Return the statements of all claims, one per line; title and outcome of a claim are in its first line."""
    lines = []
    for claim in judged:
        head = [title(claim), outcome(claim)]
        lines += [[*(["", ""] if i else head), *line] for i, line in enumerate(statements(claim).lines)]
    return Grid((Column("claim", "name"), Column("outcome", "name"), *_STATEMENT_COLUMNS), lines)


def _line(each: JudgedStatement) -> list[str]:
    uneven = each.statement.measure == "unevenness"
    relation = "largest minus mean class gain over" if uneven else each.statement.relation
    sign = "<" if each.statement.relation == "hardly above" else ">"
    first, second = _sides(each.statement)
    return [
        first,
        f"{relation} ({sign} {each.margin:g})",
        second,
        text.MISSING if each.difference is None else text.signed(each.difference),
        text.p_value(each.p),
        text.MISSING if each.published is None else f"{each.published:+.3f}",
        _state(each),
    ]


def _state(each: JudgedStatement) -> str:
    if each.difference is None:
        return "not measured"
    return {True: "holds", False: "fails", None: "open"}[each.holds]


def _sides(statement: Statement) -> tuple[str, str]:
    """Return the texts left and right of the relation: a cell, or the difference of two cells."""
    first, second = statement.first, statement.second
    return (
        f"{first} - {statement.first_minus}" if statement.first_minus else first,
        f"{second} - {statement.second_minus}" if statement.second_minus else second,
    )


def conditions(rule: Rule, result: TableResult) -> list[str]:
    """Return the rule and what was measured; ``result`` is any table of the results folder."""
    n = len(result.seeds)
    lines = [
        f"Rule (tables/claims.toml): {rule.test}; a statement holds at p <= {rule.level:g}, fails if the opposite "
        "statement holds, and is open otherwise. A claim is reproduced if all its statements hold, contradicted if one "
        "fails, and undecided otherwise.",
    ]
    if smallest_p(n) > rule.level:
        lines.append(
            f"With {text.count(n)} no p can be at or below {rule.level:g}: nothing can be decided. Use more seeds."
        )
    return lines + [
        f"{measured_on(result)}, n = {text.count(n)}; the column 'paper' holds differences of the published "
        f"means on {text.PUBLISHED_ON}.",
        *text.sentences(result.notes),
    ]


def heading(result: TableResult) -> str:
    """Return the title above all claims."""
    return f"The paper's claims on {result.corpus}"


def markdown(rule: Rule, judged: list[JudgedClaim], result: TableResult) -> str:
    """Return all claims as GitHub Markdown; ``result`` is any table of the results folder."""
    found = grid(judged)
    lines = [f"**{heading(result)}**", "", *grids.markdown(found.titles, found.lines, found.left), ""]
    return "\n".join([*lines, *(f"{line}  " for line in conditions(rule, result))]) + "\n"


def write(rule: Rule, judged: list[JudgedClaim], result: TableResult, folder: Path) -> None:
    """Write ``claims.md`` and ``claims.json``; without a claim, remove those of an earlier command.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    if not judged:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        return
    write_text(folder / "claims.md", markdown(rule, judged, result))
    content = {
        **data_files.origin(result),
        "rule": asdict(rule),
        "claims": [
            {
                "number": claim.claim.number,
                "text": claim.claim.text,
                "outcome": claim.outcome,
                "statements": [asdict(each) for each in claim.statements],
            }
            for claim in judged
        ],
    }
    write_text(folder / "claims.json", data_files.as_json(content))


def show(rule: Rule, judged: list[JudgedClaim], result: TableResult, console: Console) -> None:
    """Print the outcome of each of these claims; the numbers are in ``claims.md``."""
    lines = [[title(claim), outcome(claim)] for claim in judged]
    console.print(grids.terminal(("claim", "outcome"), lines, console.width, left=2, title=heading(result)), crop=False)
    for sentence in conditions(rule, result):
        console.print(sentence, style="dim", highlight=False)
