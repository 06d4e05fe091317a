"""The outcome of the paper's claims, in the terminal and as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from replicate import grids
from replicate.config.claims import Rule
from replicate.errors import NotThisFormat
from replicate.files import write_text
from replicate.metrics import DEFAULT
from replicate.report import data_files, text
from replicate.report import statements as statements_in_words
from replicate.report.sections import measured_on
from replicate.report.types import Column, Grid
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim, JudgedStatement
from replicate.results.controls import OUTCOMES, Outcome

FILES = ("claims.md", "claims.json")
NOT_MEASURED = "not all of its cells are measured"


@dataclass(frozen=True)
class SavedStatement:
    """A statement in ``claims.json``, in words."""

    text: str
    outcome: str
    measured: str
    to_decide: str


@dataclass(frozen=True)
class SavedClaim:
    """A claim in ``claims.json``; ``outcome`` is None where not all of its cells are measured."""

    number: int
    text: str
    outcome: Outcome | None
    statements: tuple[SavedStatement, ...] = ()


def read(folder: Path) -> list[SavedClaim]:
    """Return the claims that were saved in a results folder.

    Raises:
        NotThisFormat: ``claims.json`` is missing or malformed.
    """
    path = folder / "claims.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["claims"]
        return [
            SavedClaim(
                int(each["number"]),
                str(each["text"]),
                each["outcome"],
                tuple(SavedStatement(**statement["words"]) for statement in each.get("statements", ())),
            )
            for each in content
        ]
    except FileNotFoundError as error:
        raise NotThisFormat(f"no {path}: no claim is about a table in this folder; run table1 to table5") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotThisFormat(f"cannot read {path} ({error!r}): write it again with `replicate report`") from error


def show_brief(claims: Sequence[SavedClaim], title: str, console: Console) -> None:
    """Print claims with their outcomes, and below each its statements with what was measured, at any width."""
    console.print(Text(title, style="bold"))
    for claim in claims:
        found = Text(f"{claim.number}. {claim.text}: ").append(claim.outcome or NOT_MEASURED, style="bold")
        console.print(Padding.indent(found, 2))
        for each in claim.statements:
            needed = "" if each.to_decide == text.MISSING else f"; to decide it: {each.to_decide}"
            measured = "" if each.measured == text.MISSING else f" {each.measured}"
            console.print(Padding.indent(Text(f"{each.text}: {each.outcome}{measured}{needed}", style="dim"), 6))


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


def expected(outcome: Outcome | None) -> bool:
    """Return whether a claim is reproduced, or on a control neither missed nor found although not built in."""
    controls = [each for control, (good, _, neutral) in OUTCOMES.items() if control for each in (good, neutral)]
    return outcome in ("reproduced", *controls)


def expectation(claims: Sequence[SavedClaim]) -> str:
    """Return in a word or two what ``expected`` means for these claims of one corpus."""
    return "reproduced" if all(claim.outcome in (*OUTCOMES[""], None) for claim in claims) else "as built"


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
