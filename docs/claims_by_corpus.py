"""The README's table of claims: one line per claim of the paper, one column per measured corpus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docs.entries import Measurement, measurements
from replicate import grids
from replicate.config import claims as definitions
from replicate.config.claims import Statement
from replicate.report import text

RESULTS = Path(__file__).parent / "results"
NOT_MEASURED = "not measured"
PARTLY_MEASURED = "partly measured"
BREAK = "<br>"


def columns() -> list[Measurement]:
    """Return the measurements that are a column and whose claims are in docs/results/, in the order of the table."""
    return [each for each in measurements() if each.title and (RESULTS / each.folder / "claims.json").is_file()]


def table() -> str:
    """Return outcome and comparisons of every claim by corpus, as a Markdown table with a line per claim."""
    found = [(each, load(each)) for each in columns()]
    titles = ["claim of the paper"]
    titles += [f"[{each.title}](docs/results/{each.folder}/claims.md), {seeds(content)}" for each, content in found]
    lines = []
    for claim in definitions.load()[1]:
        judged = [{one["number"]: one for one in content["claims"]}.get(claim.number) for _, content in found]
        measured = [one for one in judged if one is not None and one["outcome"] is not None]
        label = [f"**{claim.number}. {claim.text}**"]
        if measured:
            words = [each["words"]["text"] for each in measured[0]["statements"]]
            label += lettered([comparison(*each) for each in zip(claim.statements, words, strict=True)])
        lines.append([BREAK.join(label), *map(outcome, judged)])
    return "\n".join(grids.marked_up(titles, lines, left=len(titles))) + "\n"


def comparison(statement: Statement, words: str) -> str:
    """Return what a statement subtracts from what, and the margin that the difference is compared with."""
    margin = re.search(r"\(([<>±] [\d.]+)\)", words)
    claimed = f"; {margin[1]}" if margin else ""
    of_one_table = len({name.split("/", 1)[0] for name, _ in statement.cells}) == 1
    first, second, first_minus, second_minus = (
        cell.split("/", 1)[-1] if of_one_table else cell
        for cell in (statement.first, statement.second, statement.first_minus, statement.second_minus)
    )
    if statement.relation == "least certain of":
        return f"{first}: recall of {statement.emotion} - lowest recall of another class; < 0"
    if statement.relation == "evenly above":
        return f"F1 of {first} over {second}: largest gain of a class - mean gain of all{claimed}"
    if first_minus:
        return f"({first} - {first_minus}) - ({second} - {second_minus}){claimed}"
    return f"{first} - {second}{claimed}"


def load(measurement: Measurement) -> dict[str, Any]:
    """Return the content of a measurement's ``claims.json``."""
    content: dict[str, Any] = json.loads((RESULTS / measurement.folder / "claims.json").read_text(encoding="utf-8"))
    return content


def seeds(content: dict[str, Any]) -> str:
    """Return how many seeds a results folder has."""
    return f"{len(content['seeds'])} seeds"


def outcome(claim: dict[str, Any] | None) -> str:
    """Return the outcome of a judged claim, and of each of its statements with value, interval and corrected p."""
    if claim is None or claim["outcome"] is None:
        measured = claim is not None and any(each["p"] is not None for each in claim["statements"])
        return PARTLY_MEASURED if measured else NOT_MEASURED
    found = []
    for each in claim["statements"]:
        state, p = each["words"]["outcome"].split(" ")[0], each["p"]
        words = [state] * (len(claim["statements"]) > 1) + [each["words"]["measured"]]
        words += (
            [] if p is None else [f"p {text.p_value(p)}" if text.p_value(p)[0] == "<" else f"p = {text.p_value(p)}"]
        )
        found.append(", ".join(words))
    return BREAK.join([f"**{claim['outcome']}**", *lettered(found)])


def lettered(lines: list[str]) -> list[str]:
    """Return lines with a letter in front of each, unless there is only one."""
    return lines if len(lines) == 1 else [f"{letter}: {line}" for letter, line in zip("abcdef", lines, strict=False)]
