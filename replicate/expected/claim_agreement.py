"""Whether ``claims.json`` holds differences of the scores, and ``claims.md`` the numbers of ``claims.json``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from replicate import escape
from replicate.expected.claims import SavedNumbers, saved_claims, saved_origin
from replicate.expected.conditions import Conditions
from replicate.expected.findings import Finding
from replicate.expected.lines import CellName, Scores, number
from replicate.expected.printed import Printed
from replicate.grids import MISSING
from replicate.metrics import DEFAULT
from replicate.report.saved_claims import NOT_MEASURED
from replicate.report.text import p_value

_EXACT = 1e-9
# Their values are of one class, and not of whole cells.
_OF_CLASSES = ("evenly above", "least certain of")


def with_scores(folder: Path, scores: Scores, own: Conditions) -> Iterator[Finding]:
    """Yield a failure for every measured value that is not the difference of its cells in ``scores.csv``.

    Args:
        own: the conditions in the folder's manifest.

    Raises:
        NotThisFormat: ``claims.json`` cannot be read.
    """
    origin = saved_origin(folder)
    if origin.corpus.hash != own.corpus_hash:
        yield _failure("claims.json, hash of the corpus", f"{own.corpus_hash} (manifest)", origin.corpus.hash)
    if origin.seeds != own.seeds:
        yield _failure("claims.json, seeds", f"{[*own.seeds]} (manifest)", str([*origin.seeds]))
    for claim in saved_claims(folder):
        for i, each in enumerate(claim.statements, 1):
            if each.measured is None or each.statement.relation in _OF_CLASSES:
                continue
            sides = each.statement
            wanted = _side(sides.first, sides.first_minus, scores) - _side(sides.second, sides.second_minus, scores)
            if wanted == wanted and not abs(each.measured.value - wanted) <= _EXACT:
                where = f"claims.json, claim {claim.number}, statement {i}"
                yield _failure(where, f"{wanted!r} (scores.csv)", repr(each.measured.value))


def with_page(folder: Path, page: Printed) -> Iterator[Finding]:
    """Yield a failure for every printed outcome and number of ``claims.md`` that is another one in ``claims.json``."""
    grid = page.grids[0] if page.grids else None
    lines = list(grid.lines) if grid else []
    titles = grid.titles if grid else ()
    wanted = [(claim, i, each) for claim in saved_claims(folder) for i, each in enumerate(claim.statements)]
    if len(lines) != len(wanted):
        yield _failure("claims.md, number of lines", f"{len(wanted)} (claims.json)", str(len(lines)))
        return
    for line, (claim, i, each) in zip(lines, wanted, strict=True):
        head = {"claim": f"{claim.number}. {claim.text}", "outcome": claim.outcome or NOT_MEASURED}
        texts = [*_texts(each).items(), *_words(each).items(), *(head.items() if i == 0 else ())]
        printed = dict(zip(titles, line, strict=True))
        # The words that the commands print have the other margins of equivalence in a column of their own.
        printed |= {"statement": printed.get("statement", "").partition(" (")[0]}
        printed |= {"text": " ".join(printed.get(name, "") for name in ("first", "relation", "second"))}
        for column, text in texts:
            text = escape.line(text).strip()
            if printed.get(column, text) != text:
                where = f"claims.md, claim {claim.number}, statement {i + 1}, column {column}"
                yield _failure(where, f"{text} (claims.json)", printed[column])


def _texts(each: SavedNumbers) -> dict[str, str]:
    """Return how a statement's numbers are printed, by column."""
    measured = MISSING
    if each.measured is not None:
        low, high = each.measured.ci95 or (None, None)
        interval = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
        emotion = f" ({each.measured.emotion})" if each.measured.emotion else ""
        measured = f"{each.measured.value:+.3f}{interval}{emotion}"
    paper = MISSING if each.published is None else f"{each.published:+.3f}"
    found = {"measured [95 % interval]": measured, "p (Holm)": p_value(each.p), "paper": paper}
    sides = each.statement
    if sides.relation in _OF_CLASSES:
        return found
    both = ((sides.first, sides.first_minus), (sides.second, sides.second_minus))
    first, second = (f"{cell} - {minus}" if minus else cell for cell, minus in both)
    return found | {"first": first, "second": second}


def _words(each: SavedNumbers) -> dict[str, str]:
    """Return the texts of a statement that the commands print, by column."""
    words = each.words
    columns = {"text": words.text, "statement": words.outcome, "to decide it": words.to_decide}
    return columns | {"measured [95 % interval]": words.measured}


def _side(cell: str, minus: str, scores: Scores) -> float:
    return _mean(cell, scores) - (_mean(minus, scores) if minus else 0.0)


def _mean(cell: str, scores: Scores) -> float:
    """Return the mean of a cell such as ``table2/COGMEN-A/A``; NaN if it was not measured."""
    table, _, rest = cell.partition("/")
    row, _, context = rest.rpartition("/")
    values = scores.get(CellName(table, escape.csv_cell(row), context), {}).get(DEFAULT, [])
    return float(np.mean([number(each.value) for each in values])) if values else math.nan


def _failure(cell: str, expected: str, found: str) -> Finding:
    return Finding("files", cell, "FAIL", "agreement", expected, found)
