"""The section of a table on what its models need: parameters, operations, memory and time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from replicate.report import text
from replicate.report.types import Column, Grid, Section
from replicate.results.aggregate import TableResult


def section(result: TableResult) -> Section:
    """Return the resources of every row."""
    return Section("Resources", grid(result), conditions(result))


def grid(result: TableResult) -> Grid:
    """Return one row per line; the time of a row that was not measured is missing."""
    columns = (
        Column("model", "name"),
        Column("parameters"),
        Column("MFLOP per utterance"),
        Column("ms per utterance"),
        Column("peak MB"),
        Column("training s"),
        Column("with teachers"),
        Column(f"relative to {result.table.cost}"),
    )
    base = result.costs.get(result.table.cost)
    lines = []
    for name, each in result.resources.items():
        timing = result.timings.of(each) if result.timings else None
        cost = result.costs.get(name)
        lines.append(
            [
                name,
                f"{each.parameters:,}",
                f"{each.flops / 1e6:.2f}",
                text.MISSING if timing is None else f"{timing.p50 / each.utterances:.3f}",
                f"{each.peak_bytes / 1e6:.1f}",
                text.MISSING if cost is None else f"{cost.own:.1f}",
                text.MISSING if cost is None else f"{cost.own + cost.teachers:.1f}",
                text.MISSING if cost is None or base is None else f"{(cost.own + cost.teachers) / base.own:.2f}",
            ]
        )
    return Grid(columns, lines)


def conditions(result: TableResult) -> list[str]:
    """Return how resources were computed and times measured."""
    lengths = sorted({each.utterances for each in result.resources.values()})
    lines = [
        f"Resources are for one dialogue of {' or '.join(map(str, lengths))} utterances, the median of the corpus, "
        "with the trained model alone. FLOP: two for each multiplication with addition in matrix products, as "
        "implemented, without element-wise operations and Fourier transforms. Peak: weights, and all tensors that "
        "exist at a time, without libraries.",
        "Training: seconds of one process, medians over seeds; frozen teachers are added, each once. Other runs may "
        "have trained on the same machine at the same time, so ratios are more reliable than seconds.",
    ]
    measured = result.timings
    if measured is None:
        return [*lines, "Times at inference were not measured: `replicate bench-inference` does, and keeps them here."]
    where = f"{measured.processor or 'an unknown processor'}, torch {measured.torch}"
    return [*lines, f"Times at inference: median of {measured.calls} calls on one thread of the CPU ({where})."]


def as_json(result: TableResult) -> dict[str, Any]:
    """Return the resources of every row, with the time of a dialogue in milliseconds where it was measured."""
    found: dict[str, Any] = {}
    for name, each in result.resources.items():
        timing = result.timings.of(each) if result.timings else None
        found[name] = asdict(each) | ({"p50_ms": timing.p50, "p90_ms": timing.p90} if timing else {})
    return found
