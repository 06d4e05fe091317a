"""Whether edge weights, training costs and exported models are printed as the JSON files of a table have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from replicate.errors import NotThisFormat
from replicate.escape import line
from replicate.expected.findings import Finding
from replicate.expected.printed import Printed, PrintedGrid
from replicate.records import convert, read_json
from replicate.report import deployments, edges, sections
from replicate.report.types import Grid
from replicate.results.aggregate import Cost
from replicate.results.deployments import DEPLOYMENTS, Deployment, Deployments
from replicate.results.edges import EdgeWeight

_FIRST_COST = "relative to "


@dataclass(frozen=True)
class _Measured:
    edges: tuple[EdgeWeight, ...] = ()
    costs: dict[str, Cost] = field(default_factory=dict)
    deployments: tuple[Deployment, ...] = ()


def of_table(path: Path, page: Printed) -> Iterator[Finding]:
    """Yield a failure for every printed cell that the numbers in ``TABLE.json`` do not give, written again.

    Args:
        path: of the JSON file. page: the Markdown file of the table.

    Raises:
        NotThisFormat: a JSON file cannot be read.
    """
    try:
        found = convert(read_json(path), _Measured)
        again = [_again(found, grid) for grid in page.grids]
    except (OSError, ValueError, ArithmeticError, LookupError) as error:  # lists of other lengths, or times of 0
        raise NotThisFormat(f"cannot read {path} ({error}): write it again with `replicate report`") from error
    for wanted, grid in zip(again, page.grids, strict=True):
        if wanted is not None:
            yield from _unlike(path, wanted, grid)
    yield from _other_deployments(path, found.deployments)


def _again(found: _Measured, grid: PrintedGrid) -> Grid | None:
    """Return the grid that the numbers give, None if they are none of this printed one."""
    if grid.titles[:3] == ("model", "graph", "weight"):
        return edges.grid(found.edges)
    if grid.titles[:2] == ("model", "weights"):
        return Grid(deployments.COLUMNS, deployments.lines(found.deployments))
    if grid.titles[:2] == ("model", "seconds per run"):
        first = next((title for title in grid.titles if title.startswith(_FIRST_COST)), "")
        return sections.costs(found.costs, first.removeprefix(_FIRST_COST))
    return None


def _unlike(path: Path, wanted: Grid, grid: PrintedGrid) -> Iterator[Finding]:
    page = f"{path.stem}.md"
    lines = [tuple(line(text).strip() for text in each) for each in wanted.lines]
    if len(lines) > len(grid.lines):
        yield _failure(f"{page}, lines of {grid.titles[1]}", str(len(lines)), path.name, str(len(grid.lines)))
    for one, other in zip(lines, grid.lines, strict=False):
        for title, text, printed in zip(wanted.titles, one, other, strict=False):
            if text != printed:
                yield _failure(f"{page}, line {one[0]}, column {title}", text, path.name, printed)


def _other_deployments(path: Path, found: Sequence[Deployment]) -> Iterator[Finding]:
    """Compare the exported models with those in ``deployments.json``, where they were measured."""
    measured = Deployments.find(path.parent) if found else None
    known = measured.deployments if measured else ()
    for each in found:
        if measured and each not in known:
            where = f"{DEPLOYMENTS}, {each.row}, {each.precision}"
            yield _failure(where, "the numbers", path.name, "other ones, or none")


def _failure(cell: str, wanted: str, where: str, found: str) -> Finding:
    return Finding("files", cell, "FAIL", "agreement", f"{wanted} ({where})", found)
