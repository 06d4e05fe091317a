"""Make expected results from the files of a committed results folder; no number comes from anywhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from replicate.errors import NotThisFormat
from replicate.expected import printed
from replicate.expected.claims import claims_of
from replicate.expected.conditions import Conditions, conditions
from replicate.expected.lines import (
    COMPARISONS,
    CellName,
    Score,
    Scores,
    by_seed,
    number,
    read_csv,
    read_scores,
    text_of,
)
from replicate.expected.model import (
    FORMAT,
    Expected,
    ExpectedCell,
    ExpectedDifference,
    ExpectedGrid,
    ExpectedPage,
)
from replicate.expected.tolerance import LEVEL, ROUNDING, tolerance

RULE = (
    f"tolerance = max({ROUNDING:g}, t * s * sqrt(1 / n + 1 / m)), the half width of the {100 * (1 - LEVEL):g} % "
    "prediction interval of a mean over m other seeds; s is the deviation over the n seeds (ddof 1, a seed is the mean "
    "over its folds), and t is Student's critical value with n - 1 degrees of freedom; here m = n"
)

# Sums may differ in their last digits on another processor, and the files should not.
_DECIMALS = 9


def expected(folder: Path, name: str) -> Expected:
    """Return what a results folder like this one should hold.

    Args:
        name: of the folder, below docs/results/.

    Raises:
        NotThisFormat: a file is missing or malformed, or a score is no number.
    """
    origin, scores = conditions(folder), read_scores(folder / "scores.csv")
    return Expected(
        FORMAT,
        name,
        origin,
        RULE,
        tuple(_cell(where, metrics, origin.metric, folder) for where, metrics in scores.items()),
        tuple(_difference(line, scores, origin.metric) for line in read_csv(folder / "comparisons.csv", COMPARISONS)),
        claims_of(folder) if (folder / "claims.json").exists() else (),
        tuple(_page(path, origin) for path in sorted(folder.glob("*.md"))),
    )


def mean_and_deviation(scores: Sequence[Score]) -> tuple[float, float | None, int]:
    """Return mean and deviation over seeds, and how many seeds there are, 0 for a baseline; NaN where one is none."""
    seeds = by_seed(scores)
    values = list(seeds.values())
    mean = float(np.mean([number(score.value) for score in scores])) if scores else math.nan
    if set(seeds) <= {""}:
        return mean, None, 0
    return mean, float(np.std(values, ddof=1)) if len(values) > 1 else None, len(values)


def difference(first: str, second: str, table: str, scores: Scores, metric: str) -> tuple[float, float | None, int]:
    """Return mean and deviation over seeds of the difference of two cells; NaN where they are no cells of the table."""
    both = [by_seed(scores.get(_named(cell, table), {}).get(metric, [])) for cell in (first, second)]
    if not both[0] or [*both[0]] != [*both[1]]:
        return math.nan, None, 0
    values = np.array([*both[0].values()]) - np.array([*both[1].values()])
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None, len(values)


def _named(cell: str, table: str) -> CellName:
    row, _, context = cell.rpartition("/")
    return CellName(table, row, context)


def _cell(where: CellName, metrics: dict[str, list[Score]], shown: str, folder: Path) -> ExpectedCell:
    scores = metrics.get(shown, [])
    seeds = tuple(dict.fromkeys(score.seed for score in scores))
    folds = tuple(dict.fromkeys(score.fold for score in scores))
    runs = [(seed, fold) for seed in seeds for fold in folds]
    if not runs or any([(each.seed, each.fold) for each in found] != runs for found in metrics.values()):
        raise NotThisFormat(f"{folder / 'scores.csv'} has not every metric of every run of {where.table}/{where.short}")
    mean, deviation, n = mean_and_deviation(scores)
    values = {metric: tuple(score.value for score in found) for metric, found in metrics.items()}
    numbers = round(mean, _DECIMALS), _rounded(deviation), _rounded(tolerance(deviation, n))
    return ExpectedCell(where.table, where.row, where.context, *numbers, seeds, folds, values)


def _difference(line: dict[str, str], scores: Scores, metric: str) -> ExpectedDifference:
    _, deviation, n = difference(line["first"], line["second"], line["table"], scores, metric)
    numbers = {name: line[name] for name in COMPARISONS[3:]}
    return ExpectedDifference(
        *(line["table"], line["first"], line["second"], number(line["difference"]), _rounded(deviation)),
        _rounded(tolerance(deviation, n)) if n else None,
        n,
        numbers,
    )


def _page(path: Path, origin: Conditions) -> ExpectedPage:
    found = printed.markdown(text_of(path))
    return ExpectedPage(path.stem, tuple(_grid(grid, origin) for grid in found.grids), tuple(found.numbers()))


def _grid(grid: printed.PrintedGrid, origin: Conditions) -> ExpectedGrid:
    """Return a printed table; with folds, printed deviations are not those over seeds, and give no tolerance."""
    n = 0 if origin.folds else len(origin.seeds)
    means = [[printed.mean_of(cell) if n else None for cell in line] for line in grid.lines]
    tolerances = tuple(tuple(each and _rounded(tolerance(each[1], n)) for each in line) for line in means)
    return ExpectedGrid(grid.titles, grid.lines, tolerances)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
