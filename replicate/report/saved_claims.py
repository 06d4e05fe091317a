"""Claims as they were saved in a results folder: read, printed, and compared with what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from replicate.errors import NotThisFormat
from replicate.escape import line
from replicate.grids import MISSING
from replicate.records import convert, read_json
from replicate.results.outcomes import OUTCOMES, Outcome

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


@dataclass(frozen=True)
class _Statement:
    words: SavedStatement


@dataclass(frozen=True)
class _Claim:
    number: int
    text: str
    outcome: Outcome | None
    statements: tuple[_Statement, ...] = ()


@dataclass(frozen=True)
class _Saved:
    claims: tuple[_Claim, ...]


def read(folder: Path) -> list[SavedClaim]:
    """Return the claims that were saved in a results folder.

    Raises:
        NotThisFormat: ``claims.json`` is missing or malformed.
    """
    path = folder / "claims.json"
    try:
        content = convert(read_json(path), _Saved)
    except FileNotFoundError as error:
        raise NotThisFormat(f"no {path}: no claim is about a table in this folder; run table1 to table5") from error
    except (OSError, ValueError) as error:
        raise NotThisFormat(f"cannot read {path} ({error}): write it again with `replicate report`") from error
    return [
        SavedClaim(claim.number, claim.text, claim.outcome, tuple(each.words for each in claim.statements))
        for claim in content.claims
    ]


def show_brief(claims: Sequence[SavedClaim], title: str, console: Console) -> None:
    """Print claims with their outcomes, and below each its statements with what was measured, at any width."""
    console.print(Text(line(title), style="bold"))
    for claim in claims:
        found = Text(f"{claim.number}. {line(claim.text)}: ").append(claim.outcome or NOT_MEASURED, style="bold")
        console.print(Padding.indent(found, 2))
        for each in claim.statements:
            needed = "" if each.to_decide == MISSING else f"; to decide it: {each.to_decide}"
            measured = "" if each.measured == MISSING else f" {each.measured}"
            console.print(Padding.indent(Text(line(f"{each.text}: {each.outcome}{measured}{needed}"), style="dim"), 6))


def expected(outcome: Outcome | None) -> bool:
    """Return whether a claim is reproduced, or on a control neither missed nor found although not built in."""
    controls = [each for control, (good, _, neutral) in OUTCOMES.items() if control for each in (good, neutral)]
    return outcome in ("reproduced", *controls)


def expectation(claims: Sequence[SavedClaim]) -> str:
    """Return in a word or two what ``expected`` means for these claims of one corpus."""
    return "reproduced" if all(claim.outcome in (*OUTCOMES[""], None) for claim in claims) else "as built"
