"""The README's table of claims: one line per claim of the paper, one column per measured corpus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docs.measure import Measurement, measurements
from replicate import grids
from replicate.config import claims as definitions
from replicate.report import text

RESULTS = Path(__file__).parent / "results"
NOT_MEASURED = "not measured"


def columns() -> list[Measurement]:
    """Return the measurements that are a column and whose claims are in docs/results/, in the order of the table."""
    return [each for each in measurements() if each.title and (RESULTS / each.folder / "claims.json").is_file()]


def table() -> str:
    """Return the outcome of every claim by corpus, with the number that decides it, as a Markdown table."""
    found = [(each, load(each)) for each in columns()]
    titles = ["claim of the paper"]
    titles += [f"[{each.title}](docs/results/{each.folder}/claims.md), {seeds(content)}" for each, content in found]
    lines = []
    for claim in definitions.load()[1]:
        judged = [{one["number"]: one for one in content["claims"]} for _, content in found]
        lines.append([f"{claim.number}. {claim.text}", *(outcome(each.get(claim.number)) for each in judged)])
    return "\n".join(grids.markdown(titles, lines, left=len(titles))) + "\n"


def load(measurement: Measurement) -> dict[str, Any]:
    """Return the content of a measurement's ``claims.json``."""
    content: dict[str, Any] = json.loads((RESULTS / measurement.folder / "claims.json").read_text(encoding="utf-8"))
    return content


def seeds(content: dict[str, Any]) -> str:
    """Return how many seeds a results folder has."""
    return f"{len(content['seeds'])} seeds"


def outcome(claim: dict[str, Any] | None) -> str:
    """Return the outcome of a judged claim, with value, interval and corrected p of the statement that decides it.

    That is the first one that fails, else the first open one, else the first that holds. p decides, not the interval,
    which is not corrected for the number of comparisons.
    """
    if claim is None or claim["outcome"] is None:
        return NOT_MEASURED
    state = {"contradicted": "fails", "undecided": "open", "reproduced": "holds"}[claim["outcome"]]
    deciding = next(each for each in claim["statements"] if each["words"]["outcome"].startswith(state))
    found = [f"{claim['outcome']}: {deciding['words']['measured']}"]
    if deciding["p"] is not None:
        p = text.p_value(deciding["p"])
        found.append(f"p {p}" if p.startswith("<") else f"p = {p}")
    claimed = re.search(r"\(([<>±] [\d.]+)\)", deciding["words"]["text"])
    if claimed or deciding["statement"]["relation"] == "least certain of":
        found.append(f"claimed {claimed[1] if claimed else '< 0'}")
    return ", ".join(found)
