"""The section of a table on its models as exported files: F1 on dev and test against latency, size and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from replicate.report import text
from replicate.report.types import Column, Grid, Section
from replicate.results.aggregate import TableResult
from replicate.results.deployments import Deployment, front
from replicate.results.statistics import summarise

COLUMNS = (
    Column("model", "name"),
    Column("weights", "name"),
    Column("F1 on dev", "measured"),
    Column("F1 on test", "measured"),
    Column("ms"),
    Column("MB"),
    Column("peak MB"),
    Column("front"),
)


def measured(result: TableResult) -> list[Deployment]:
    """Return the deployments of a table's rows, in their order; none where other runs were measured."""
    if result.deployments is None:
        return []
    return [
        each
        for row in result.table.rows
        for cell in result.rows[row.name].values()
        for each in result.deployments.of(result.table.name, row.name, cell.runs)
    ]


def section(result: TableResult) -> Section:
    """Return the deployments of every row."""
    return Section("Deployment", grid(result), conditions(result))


def grid(result: TableResult) -> Grid:
    """Return one deployment per line; then the rows that were not measured."""
    found = measured(result)
    known = {each.row for each in found}
    trained = [row.name for row in result.table.rows if result.rows[row.name]]
    absent = [[name, *[text.MISSING] * (len(COLUMNS) - 1)] for name in trained if name not in known]
    return Grid(COLUMNS, lines(found) + absent)


def lines(found: Sequence[Deployment]) -> list[list[str]]:
    """Return one deployment per line."""
    best = front(found)
    return [_line(each, each in best) for each in found]


def conditions(result: TableResult) -> list[str]:
    """Return how the deployments were measured."""
    found = result.deployments
    if found is None or not measured(result):
        return ["Exported files were not measured: `replicate bench-inference` does, and keeps the numbers here."]
    return [
        f"Exported files: mean ± sample deviation of weighted F1 over seeds; median of {found.calls} calls for one "
        f"dialogue of {found.utterances} utterances, the median of the corpus, on one thread of the CPU "
        f"({found.processor or 'an unknown processor'}, onnxruntime {found.onnxruntime}); size of the file; peak "
        "memory of a process that predicts this dialogue, libraries included.",
        "Front: no other line is both faster and at least as good on dev; `replicate export onnx --budget-ms` chooses "
        "from it, with times of the machine that it runs on.",
    ]


def as_json(result: TableResult) -> list[dict[str, Any]]:
    """Return every deployment of the table."""
    return [asdict(each) for each in measured(result)]


def _line(each: Deployment, best: bool) -> list[str]:
    return [
        each.row,
        each.precision,
        _score(each.dev_f1),
        _score(each.test_f1),
        f"{each.p50:.2f}",
        f"{each.megabytes:.1f}",
        text.MISSING if each.peak_megabytes is None else f"{each.peak_megabytes:.0f}",
        "yes" if best else "",
    ]


def _score(values: Sequence[float]) -> str:
    return text.mean_and_deviation(summarise(values))
