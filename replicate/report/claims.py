"""The outcome of the paper's claims, in the terminal and as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from replicate import grids
from replicate.config.claims import Rule
from replicate.files import write_text
from replicate.metrics import DEFAULT
from replicate.report import data_files, text
from replicate.report import statements as statements_in_words
from replicate.report.saved_claims import NOT_MEASURED, SavedClaim, SavedStatement, show_brief
from replicate.report.sections import measured_on
from replicate.report.types import Column, Grid
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim, JudgedStatement

FILES = ("claims.md", "claims.json")


def saved(judged: Sequence[JudgedClaim]) -> list[SavedClaim]:
    """Return judged claims as they are saved."""
    return [
        SavedClaim(each.claim.number, each.claim.text, each.outcome, tuple(map(_saved, each.statements)))
        for each in judged
    ]


def _saved(each: JudgedStatement) -> SavedStatement:
    return SavedStatement(
        statements_in_words.in_one(each),
        statements_in_words.state(each),
        statements_in_words.measured(each.measured),
        statements_in_words.to_decide(each.needed),
    )


def title(claim: JudgedClaim) -> str:
    """Return number and text of a claim."""
    return f"{claim.claim.number}. {claim.claim.text}"


def outcome(claim: JudgedClaim) -> str:
    """Return the outcome of a claim in words."""
    return claim.outcome or NOT_MEASURED


def statements(claim: JudgedClaim) -> Grid:
    """Return the statements of one claim, one per line."""
    lines = [statements_in_words.line(each, claim.control) for each in claim.statements]
    return Grid(statements_in_words.columns(claim.control), lines)


def grid(judged: list[JudgedClaim]) -> Grid:
    """Return the statements of all claims, one per line; title and outcome of a claim are in its first line."""
    lines = []
    for claim in judged:
        head = [title(claim), outcome(claim)]
        lines += [[*(["", ""] if i else head), *line] for i, line in enumerate(statements(claim).lines)]
    columns = statements_in_words.columns(judged[0].control if judged else "")
    return Grid((Column("claim", "name"), Column("outcome", "name"), *columns), lines)


def conditions(rule: Rule, result: TableResult) -> list[str]:
    """Return the rule and what was measured; ``result`` is any table of the results folder."""
    n = len(result.seeds)
    lines = [statements_in_words.rule(rule, result.control), statements_in_words.DECIDING]
    if n < 2:
        lines.append("With 1 seed there is neither interval nor p: nothing can be decided. Use more seeds.")
    if result.metric != DEFAULT:
        lines.append("Claims are about weighted F1, whatever metric the tables show.")
    paper = f"; the column 'paper' holds differences of the published means on {text.PUBLISHED_ON}"
    return lines + [
        f"{measured_on(result)}, n = {text.count(n)}{'' if result.control else paper}.",
        *text.sentences(result.notes),
    ]


def heading(result: TableResult) -> str:
    """Return the title above all claims."""
    what = f"Self-test on the {result.control} control" if result.control else "The paper's claims on"
    return f"{what} {result.corpus}"


def markdown(rule: Rule, judged: list[JudgedClaim], result: TableResult) -> str:
    """Return all claims as GitHub Markdown; ``result`` is any table of the results folder."""
    found = grid(judged)
    lines = [grids.heading(heading(result)), "", *grids.markdown(found.titles, found.lines, found.left), ""]
    return "\n".join([*lines, *grids.notes(conditions(rule, result))]) + "\n"


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
                "statements": [{**asdict(each), "words": asdict(_saved(each))} for each in claim.statements],
            }
            for claim in judged
        ],
    }
    write_text(folder / "claims.json", data_files.as_json(content))


def show(rule: Rule, judged: list[JudgedClaim], result: TableResult, console: Console) -> None:
    """Print outcome, numbers and what would decide each of these claims; p values are in ``claims.md``."""
    show_brief(saved(judged), heading(result), console)
    for sentence in conditions(rule, result):
        console.print(sentence, style="dim", highlight=False)
