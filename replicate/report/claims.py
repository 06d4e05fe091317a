"""The verdict on the paper's claims, in the terminal and as files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from replicate.files import write_text
from replicate.report import text
from replicate.report.tables import markdown_grid
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim, JudgedStatement, Rule, Statement
from replicate.results.statistics import smallest_p

HEADER = ["claim", "outcome", "first", "", "second", "measured [95 % interval]", "p", "paper", "statement"]


def lines(judged: list[JudgedClaim]) -> list[list[str]]:
    """One list of texts per statement, in the order of ``HEADER``; the claim stands in its first line."""
    found = []
    for claim in judged:
        head = [f"{claim.claim.number}. {claim.claim.text}", claim.outcome or "not all of its cells are measured"]
        for i, each in enumerate(claim.statements):
            found.append([*(head if i == 0 else ["", ""]), *_statement(each)])
    return found


def _statement(each: JudgedStatement) -> list[str]:
    what = "gains over" if each.statement.measure == "unevenness" else each.statement.relation
    sign = "<" if each.statement.relation == "hardly above" else ">"
    measured = "–" if each.difference is None else text.signed(each.difference)
    published = "–" if each.published is None else f"{each.published:+.3f}"
    relation = f"{what} ({sign} {each.margin:g})"
    first, second = _sides(each.statement)
    return [first, relation, second, measured, text.p_value(each.p), published, _state(each)]


def _state(each: JudgedStatement) -> str:
    if each.difference is None:
        return "not measured"
    return {True: "holds", False: "fails", None: "open"}[each.holds]


def _sides(statement: Statement) -> tuple[str, str]:
    """What stands left and right of the relation."""
    first, second = statement.first, statement.second
    return (
        f"{first} - {statement.first_minus}" if statement.first_minus else first,
        f"{second} - {statement.second_minus}" if statement.second_minus else second,
    )


def conditions(rule: Rule, result: TableResult) -> list[str]:
    """How claims are judged, on what."""
    n = len(result.seeds)
    lines = [
        f"Rule (tables/claims.toml): {rule.test}; a statement holds at p <= {rule.level:g}, fails where the opposite "
        "does, and is open otherwise. A claim is reproduced if all its statements hold, contradicted if one fails.",
    ]
    if smallest_p(n) > rule.level:
        lines.append(
            f"With {text.count(n)} no p can be at or below {rule.level:g}: nothing can be decided. Use more seeds."
        )
    return lines + [
        f"Measured on {result.corpus} ({result.corpus_hash[:12]}), protocol {result.protocol}, profile "
        f"{result.profile}, n = {text.count(n)}; the paper's differences are of its published means on "
        f"{text.PUBLISHED_ON}.",
        *(note[0].upper() + note[1:] + "." for note in result.notes),
    ]


def markdown(rule: Rule, judged: list[JudgedClaim], result: TableResult) -> str:
    """All claims as GitHub Markdown; ``result`` is one of the tables, for the conditions."""
    grid = markdown_grid(HEADER, lines(judged), left=5)
    title = f"**The paper's claims on {result.corpus}**"
    return "\n".join([title, "", *grid, "", *(f"{line}  " for line in conditions(rule, result))]) + "\n"


def write(rule: Rule, judged: list[JudgedClaim], result: TableResult, folder: Path) -> None:
    """``claims.md`` and ``claims.json`` in ``folder``; without a claim, those of an earlier command go."""
    if not judged:
        for name in ("claims.md", "claims.json"):
            (folder / name).unlink(missing_ok=True)
        return
    write_text(folder / "claims.md", markdown(rule, judged, result))
    content = {
        "corpus": {"name": result.corpus, "hash": result.corpus_hash, "notes": list(result.notes)},
        "profile": result.profile,
        "protocol": result.protocol,
        "seeds": list(result.seeds),
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
    write_text(folder / "claims.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def show(rule: Rule, judged: list[JudgedClaim], result: TableResult, console: Console) -> None:
    """Print the outcome of every claim; the numbers are in ``claims.md``."""
    grid = RichTable(
        title=f"The paper's claims on {result.corpus}", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for title in ("claim", "outcome"):
        grid.add_column(title)
    for line in lines(judged):
        if line[0]:
            grid.add_row(line[0], line[1])
    console.print(grid, crop=False)
    for sentence in conditions(rule, result):
        console.print(sentence, style="dim", highlight=False)
