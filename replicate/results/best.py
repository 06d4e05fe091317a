"""Which value of a table's column is measurably the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from replicate.metrics import LOWER_IS_BETTER
from replicate.results.aggregate import TableResult
from replicate.results.cell import Cell
from replicate.results.estimate import Estimate, estimate

LEVEL = 0.05


@dataclass(frozen=True)
class Best:
    """The best values of a table that a test supports.

    Attributes:
        rows: names of rows by context; only of contexts in which one row is measurably better than every other.
        differences: of the best value and each other one, in all contexts.
    """

    rows: Mapping[str, str]
    differences: tuple[Estimate, ...]


def find(result: TableResult) -> Best:
    """Return in which contexts the best value of a table is measurably better than that of every other row.

    p of each difference is multiplied by the number of differences in all contexts (Bonferroni), so that at most one
    table in twenty has a wrong best value although the best rows are chosen by the values that are tested. Holm's
    correction would not do: it leaves the largest p as it is. Where the table itself compares two of these cells, its
    own corrected p has to be small, too. Baselines have no seeds, so they are not tested; where one of them is as good,
    there is no best row. Not in the paper, which tests nothing.
    """
    sign = -1.0 if result.metric in LOWER_IS_BETTER else 1.0
    best, differences = {}, {}
    for context in result.table.contexts:
        cells = {row: cells[context] for row, cells in result.rows.items() if context in cells}
        cells = {row: cell for row, cell in cells.items() if cell.values}
        if len(cells) < 2:
            continue
        best[context] = max(cells, key=lambda row: sign * _mean(cells[row]))
        first = cells.pop(best[context])
        differences[context] = {row: estimate([(first, sign), (other, -sign)]) for row, other in cells.items()}
    tests = sum(map(len, differences.values()))
    supported = {
        context: row
        for context, row in best.items()
        if all(_small(each, tests) for each in differences[context].values())
        and not any(_denied(result, context, row, other) for other in differences[context])
        and all(sign * _mean(each) < sign * _mean(result.rows[row][context]) for each in _baselines(result, context))
    }
    return Best(supported, tuple(each for found in differences.values() for each in found.values()))


def _mean(cell: Cell) -> float:
    return sum(cell.values) / len(cell.values)


def _small(difference: Estimate, tests: int) -> bool:
    p = difference.p()
    return difference.mean > 0 and p is not None and p * tests <= LEVEL


def _denied(result: TableResult, context: str, row: str, other: str) -> bool:
    """Return whether the table compares two rows in a context and does not find them different."""
    pair = {f"{row}/{context}", f"{other}/{context}"}
    found = [each.p_holm for each in result.comparisons if {each.first, each.second} == pair]
    return any(p is None or p > LEVEL for p in found)


def _baselines(result: TableResult, context: str) -> list[Cell]:
    return [cells[context] for cells in result.baselines.values() if context in cells]
