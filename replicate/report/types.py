"""What the writers of a report share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim, Rule


@dataclass(frozen=True)
class Outputs:
    """What was written, and where."""

    folder: Path
    results: list[TableResult]
    rule: Rule
    judged: list[JudgedClaim]
