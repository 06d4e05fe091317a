"""Print what a check of a results folder found."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from replicate import escape, grids
from replicate.expected.findings import STATUSES, Finding, Report, Status

# Statuses whose cells are named one by one.
_NAMED: tuple[Status, ...] = ("FAIL", "close", "missing")
RULES = {
    "equality": "every number has to be as printed: the same seeds, processor, device and libraries",
    "interval": "every mean has to be inside the tolerance of its cell",
    "agreement": "the files of the folder have to agree with each other",
}


def show(report: Report, console: Console) -> None:
    """Print which rule applied, the cells of every table by status, and each cell that is not OK."""
    reasons = f" ({', '.join(report.why)})" if report.why else ""
    _line(f"{report.folder} against {report.against}", console)
    _line(f"judged by {report.rule}: {RULES[report.rule]}{reasons}", console)
    for note in report.notes:
        _line(f"note: {note}", console)
    counts = report.counts()
    lines = [[table, *(str(counts[table][status] or grids.MISSING) for status in STATUSES)] for table in counts]
    console.print(grids.terminal(["table", *STATUSES], lines, console.width), crop=False)
    absent = [table for table, found in counts.items() if set(found) == {"missing"}]
    for status in _NAMED:
        for each in report.findings:
            if each.status == status and each.table not in absent:
                _line(f"{status:<7} {each.words}", console)
    for table in absent:
        _line(f"missing {table}: none of its {counts[table]['missing']} cells is measured", console)
    for words in report.not_compared:
        _line(f"not compared: {words}", console)


def failure(report: Report) -> str:
    """Return how many cells fail, and the first of them."""
    failed = report.failed
    kind = {"equality": "not as expected", "interval": "outside twice their tolerance", "agreement": "contradicted"}
    number = "1 cell" if len(failed) == 1 else f"{len(failed)} cells"
    return f"FAIL for {number} of {report.folder}, the first {kind[failed[0].rule]}: {_short(failed[0])}"


def _short(finding: Finding) -> str:
    words = escape.line(finding.words)
    return words if len(words) <= 300 else f"{words[:300]}..."


def _line(words: str, console: Console) -> None:
    console.print(Padding.indent(Text(escape.line(words)), 0), soft_wrap=True)
