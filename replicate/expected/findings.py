"""What a check found: one finding per cell, and their numbers per table and rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["OK", "close", "FAIL", "missing", "not judged"]
Rule = Literal["equality", "interval", "agreement"]
STATUSES: tuple[Status, ...] = ("OK", "close", "FAIL", "missing", "not judged")


@dataclass(frozen=True)
class Finding:
    """The status of one cell.

    Attributes:
        table: or ``claims``. cell: what it is, with its file. expected, found: as printed.
        rule: by which it was judged: equality with the expected number, its interval, or agreement of the folder's
            files with each other.
    """

    table: str
    cell: str
    status: Status
    rule: Rule
    expected: str = ""
    found: str = ""
    tolerance: float | None = None

    @property
    def words(self) -> str:
        """The finding in one line."""
        if self.status == "missing":
            return f"{self.cell}: {self.found or 'not measured'}, expected {self.expected}"
        off = "" if self.tolerance is None else f" ± {self.tolerance:.3f}"
        verb = "does not agree with" if self.rule == "agreement" else "expected"
        return f"{self.cell}: {self.found}, {verb} {self.expected}{off}"


@dataclass(frozen=True)
class Report:
    """What a check of one folder found.

    Attributes:
        folder, against: what was compared. rule: by which scores were judged. why: reasons why equality is not asked.
        notes: remarks in words, such as another commit. not_compared: what was compared with nothing, in words.
    """

    folder: str
    against: str
    rule: Rule
    why: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_compared: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Finding]:
        """The findings that fail."""
        return [each for each in self.findings if each.status == "FAIL"]

    @property
    def judged(self) -> int:
        """How many of the expected cells were measured and compared."""
        return sum(each.status in ("OK", "close", "FAIL") and each.rule != "agreement" for each in self.findings)

    @property
    def missing(self) -> int:
        """How many of the expected cells were not measured, and how many files were removed."""
        return sum(each.status == "missing" for each in self.findings)

    def counts(self) -> dict[str, Counter[Status]]:
        """Return how many cells have which status, by table."""
        found: dict[str, Counter[Status]] = {}
        for each in self.findings:
            found.setdefault(each.table, Counter())[each.status] += 1
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything as an object for JSON."""
        counts = {table: {status: found[status] for status in STATUSES} for table, found in self.counts().items()}
        return {**asdict(self), "counts": counts, "failed": len(self.failed)}


def distance(value: float, expected: float, tolerance: float | None) -> Status:
    """Return whether a value is inside the tolerance, inside twice the tolerance, or farther; NaN is not measured."""
    if value != value:
        return "missing"
    if tolerance is None:
        return "not judged"
    off = abs(value - expected)
    return "OK" if off <= tolerance else "close" if off <= 2 * tolerance else "FAIL"


def worst(statuses: Iterable[Status]) -> Status:
    """Return the status of a whole from those of what it consists of."""
    order: tuple[Status, ...] = ("FAIL", "missing", "close", "OK", "not judged")
    return min(statuses, key=order.index, default="missing")
