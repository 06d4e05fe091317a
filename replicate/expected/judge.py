"""Compare a results folder with expected results, cell by cell: by equality, or by the tolerance of each cell."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from replicate.expected import printed
from replicate.expected.claims import claims_of
from replicate.expected.findings import Finding, Rule, Status, distance
from replicate.expected.lines import (
    COMPARISONS,
    CellName,
    Score,
    Scores,
    file_of,
    number,
    read_csv,
    read_scores,
    text_of,
)
from replicate.expected.make import mean_and_deviation
from replicate.expected.model import Expected, ExpectedCell, ExpectedClaim, ExpectedDifference, ExpectedGrid
from replicate.expected.tolerance import tolerance
from replicate.grids import MISSING
from replicate.report.text import PUBLISHED_ON
from replicate.results.outcomes import OUTCOMES

# Columns that no second run repeats: times and what follows from them.
_TIMES = re.compile(r"ms|ms per utterance|peak MB|front|seconds .*|training s|with teachers|relative to .*")
# Columns of what is not measured: names, and the paper's numbers. They have to be as printed, and count as no cell.
_NOT_MEASURED = re.compile(rf"n|first|relation|second|paper|{PUBLISHED_ON}, .*")
# Printed tables whose numbers are judged with all decimals, from other files.
_ABOVE = (("model", "n"), ("first", "second"), ("claim", "outcome"))
_NEUTRAL = {neutral for _, _, neutral in OUTCOMES.values()}
_MISSED = OUTCOMES["positive"][1]


def judge(folder: Path, expected: Expected, rule: Rule, same_training: bool = False) -> Iterator[Finding]:
    """Yield a finding for every expected cell, difference, claim and printed number.

    Args:
        rule: equality or interval. same_training: whether the folder is of the very runs that are expected, so that
            even their training times are the same.

    Raises:
        NotThisFormat: a file of the folder is malformed.
    """
    scores = read_scores(folder / "scores.csv") if (folder / "scores.csv").exists() else {}
    for cell in expected.cells:
        yield _cell(cell, scores, rule, expected.origin.metric)
    lines = read_csv(folder / "comparisons.csv", COMPARISONS) if (folder / "comparisons.csv").exists() else []
    known = {(line["table"], line["first"], line["second"]): line for line in lines}
    for difference in expected.differences:
        yield _difference(difference, known, scores, rule)
    claims = {each.number: each for each in claims_of(folder)} if (folder / "claims.json").exists() else {}
    for claim in expected.claims:
        yield _claim(claim, claims.get(claim.number), rule)
    for page in expected.pages:
        path = file_of(folder, page.name, ".md")
        found = printed.markdown(text_of(path)) if path else None
        for i, grid in enumerate(page.grids):
            other = found.grids[i] if found and i < len(found.grids) else None
            if rule == "equality" or grid.titles[:2] not in _ABOVE:
                yield from printed_cells(page.name, grid, other, rule, same_training)
        if rule == "equality" and found:
            yield from printed_numbers(page.name, page.numbers, tuple(found.numbers()))
            yield from no_more_tables(page.name, page.grids, found)


def _cell(cell: ExpectedCell, scores: Scores, rule: Rule, shown: str) -> Finding:
    where = CellName(cell.table, cell.row, cell.context)
    name = f"scores.csv, {where.table}/{where.short}"
    metrics = scores.get(where, {})
    mean, _, n = mean_and_deviation(metrics.get(shown, []))
    expected = f"{cell.mean:.6f}"
    if mean != mean:
        return Finding(cell.table, name, "missing", rule, expected)
    if rule == "equality":
        other = _other_score(cell, metrics)
        if other:
            return Finding(cell.table, f"{name}, {other[0]}", "FAIL", rule, other[1], other[2])
        return Finding(cell.table, name, "OK", rule, expected, f"{mean:.6f}")
    allowed = cell.tolerance if cell.n == n else tolerance(cell.deviation, cell.n, n)
    return Finding(cell.table, name, distance(mean, cell.mean, allowed), rule, expected, f"{mean:.6f}", allowed)


def _other_score(cell: ExpectedCell, metrics: Mapping[str, list[Score]]) -> tuple[str, str, str] | None:
    """Return the first score that is not printed as expected: which, the expected one and the found one."""
    runs = [(seed, fold) for seed in cell.seeds for fold in cell.folds]
    for metric in dict.fromkeys((*cell.scores, *metrics)):
        found = {(each.seed, each.fold): each.value for each in metrics.get(metric, [])}
        expected = dict(zip(runs, cell.scores.get(metric, ()), strict=False))
        for seed, fold in dict.fromkeys((*expected, *found)):
            wanted, value = expected.get((seed, fold), "no score"), found.get((seed, fold), "no score")
            if value != wanted:
                places = [f"seed {seed}" if seed else "", f"fold {fold}" if fold else "", metric]
                return ", ".join(filter(None, places)), wanted, value
    return None


def _difference(
    each: ExpectedDifference, known: Mapping[tuple[str, str, str], dict[str, str]], scores: Scores, rule: Rule
) -> Finding:
    name = f"comparisons.csv, {each.table}: {each.first} - {each.second}"
    line = known.get((each.table, each.first, each.second), {})
    value = number(line.get("difference", ""))
    if value != value:
        return Finding(each.table, name, "missing", rule, f"{each.difference:+.6f}")
    if rule == "equality":
        for column, wanted in each.printed.items():
            found = line.get(column, "no column")
            if found != wanted:
                return Finding(each.table, f"{name}, {column}", "FAIL", rule, wanted, found)
    n, allowed = int(number(line["n"]) or 0) if number(line["n"]) == number(line["n"]) else 0, each.tolerance
    if rule == "interval" and n != each.n and allowed is not None:
        allowed = tolerance(each.deviation, each.n, n)
    status: Status = "OK" if rule == "equality" else distance(value, each.difference, allowed)
    return Finding(
        *(each.table, name, status, rule, f"{each.difference:+.6f}", f"{value:+.6f}"),
        allowed if rule == "interval" else None,
    )


def _claim(claim: ExpectedClaim, found: ExpectedClaim | None, rule: Rule) -> Finding:
    """Judge a claim by its outcome: one that is open on one side only is close, and the opposite one fails."""
    name = f"claims.json, claim {claim.number}"
    expected = claim.outcome or "not measured"
    if claim.outcome is None:
        return Finding("claims", name, "not judged", rule, expected, (found and found.outcome) or expected)
    if found is None or found.outcome is None:
        return Finding("claims", name, "missing", rule, expected)
    value = (claim.number, found.outcome)
    if rule == "equality":
        if found.outcome == claim.outcome and found.statements != claim.statements:
            one, two = _other_number(claim, found)
            if two is None:
                return Finding("claims", name, "missing", rule, str(one))
            return Finding("claims", name, "FAIL", rule, str(one), str(two))
        return Finding("claims", name, "OK" if found.outcome == claim.outcome else "FAIL", rule, expected, value[1])
    status: Status = "FAIL"
    if found.outcome == claim.outcome:
        status = "OK"
    elif _is_neutral(found) or _is_neutral(claim):
        status = "close"
    return Finding("claims", name, status, rule, expected, value[1])


def _is_neutral(claim: ExpectedClaim) -> bool:
    """Return whether a claim is undecided, or on a control an effect is missed only because a statement is open."""
    return claim.outcome in _NEUTRAL or (claim.outcome == _MISSED and claim.open)


def _other_number(claim: ExpectedClaim, found: ExpectedClaim) -> tuple[float | None, float | None]:
    """Return an expected number and another one that was found; None was found only if all others are as expected."""
    if list(map(len, claim.statements)) != list(map(len, found.statements)):
        return len(claim.statements), len(found.statements)
    numbers = zip(itertools.chain(*claim.statements), itertools.chain(*found.statements), strict=True)
    return min(((one, two) for one, two in numbers if one != two), key=lambda pair: pair[1] is None)


def printed_cells(
    page: str,
    grid: ExpectedGrid,
    found: printed.PrintedGrid | None,
    rule: Rule,
    same_training: bool = False,
    labels: int = 1,
    every_number_is_a_time: bool = False,
) -> Iterator[Finding]:
    """Yield a finding for every cell of a printed table; ``found`` is None if the page has none in its place.

    Args:
        labels: how many of the first columns name a line.
    """
    if found and found.titles != grid.titles and rule == "equality":
        yield Finding(page, f"{page}.md, titles", "FAIL", rule, *_first_other(grid.titles, found.titles, "no column"))
    lines = found.lines if found and found.titles == grid.titles else ()
    if rule == "equality" and len(lines) > len(grid.lines):
        yield Finding(page, f"{page}.md, {grid.titles[0]}", "FAIL", rule, "no more lines", " | ".join(lines[-1]))
    head, firsts = "", [line[0] for line in grid.lines]
    others = lines if rule == "equality" else _by_labels(grid.lines, lines, labels)
    for i, (line, allowed) in enumerate(zip(grid.lines, grid.tolerances, strict=True)):
        head = line[0] or head  # of claims, the first line has the title
        head = ", ".join(line[:2]) if line[0] and firsts.count(line[0]) > 1 else head
        other = others[i] if i < len(others) else ()
        for column, (title, wanted, half) in enumerate(zip(grid.titles, line, allowed, strict=True)):
            if not any(map(str.isdigit, wanted)) and (column >= len(other) or other[column] == wanted):
                continue  # a dash or a name: nothing was measured
            value = other[column] if column < len(other) else None
            name = f"{page}.md, line {head}, column {title}" if column else f"{page}.md, name of line {i + 1}"
            if column < labels or _NOT_MEASURED.fullmatch(title):
                if rule == "equality" and value not in (None, wanted, MISSING):
                    yield Finding(page, name, "FAIL", rule, wanted, value)
                continue
            is_time = bool(_TIMES.fullmatch(title)) and not (same_training and title.startswith(("sec", "rel")))
            yield _printed(page, name, wanted, value, half, rule, is_time or every_number_is_a_time)


def _by_labels(
    lines: Sequence[tuple[str, ...]], others: Sequence[tuple[str, ...]], labels: int
) -> list[tuple[str, ...]]:
    """Return for each line the one of ``others`` with the same labels, in any order; an empty one if there is none."""
    names = [line[:labels] for line in lines]
    if len(set(names)) == len(names) and any(any(name) for name in names):
        known = {line[:labels]: line for line in reversed(others)}
        return [known.get(name, ()) for name in names]
    pairs = itertools.zip_longest(names, others[: len(names)], fillvalue=())
    return [other if other[:labels] == name else () for name, other in pairs]


def _first_other(wanted: Sequence[str], found: Sequence[str], none: str) -> tuple[str, str]:
    """Return the first pair of texts that differ."""
    return next(pair for pair in zip((*wanted, none), (*found, none), strict=False) if pair[0] != pair[1])


def _printed(
    page: str, name: str, wanted: str, value: str | None, half: float | None, rule: Rule, is_time: bool
) -> Finding:
    """Judge one printed cell."""
    if value is None or not any(map(str.isdigit, value)):
        return Finding(page, name, "missing", rule, wanted)
    if is_time:
        return Finding(page, name, "not judged", rule, wanted, value)
    if rule == "equality":
        return Finding(page, name, "OK" if value == wanted else "FAIL", rule, wanted, value)
    means = printed.center_of(wanted), printed.center_of(value)
    if means[0] is None or means[1] is None:
        return Finding(page, name, "not judged", rule, wanted, value)
    return Finding(page, name, distance(means[1], means[0], half), rule, wanted, value, half)


def printed_numbers(page: str, wanted: tuple[str, ...], found: tuple[str, ...]) -> Iterator[Finding]:
    """Compare the numbers in the sentences of a page."""
    if found != wanted:
        yield Finding(page, f"{page}.md, notes", "FAIL", "equality", *_first_other(wanted, found, "no number"))


def no_more_tables(page: str, wanted: Sequence[ExpectedGrid], found: printed.Printed) -> Iterator[Finding]:
    """Yield a finding if a page has more tables than expected."""
    if len(found.grids) > len(wanted):
        titles = " | ".join(found.grids[len(wanted)].titles)
        yield Finding(page, f"{page}.md, tables", "FAIL", "equality", "no more tables", titles)
