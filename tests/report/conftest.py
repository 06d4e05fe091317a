"""Finished tables made by hand."""

from __future__ import annotations

from typing import Any

from replicate.experiment.definitions import Row, Table
from replicate.experiment.results import Cell, TableResult
from replicate.experiment.statistics import Summary

TABLE = Table(
    "table2",
    "Masked training",
    "arXiv 2401.03000, Table 2",
    ("A", "AV"),
    (Row("COGMEN-A", "COGMEN-A", {"A": 0.636}), Row("Masked, ours", "COGMEN-Mask", {"AV": 0.687})),
)


def cell(mean: float, std: float | None, published: float | None, verdict: str | None = None) -> Cell:
    """A cell of two seeds, or of one where ``std`` is None."""
    if std is None:
        return Cell(Summary(mean, None, 1, None), (mean,), published, verdict)
    return Cell(Summary(mean, std, 2, (mean - 0.125, mean + 0.125)), (mean - 0.125, mean + 0.125), published, verdict)


def made(**replaced: Any) -> TableResult:
    """Two seeds on a synthetic corpus: no verdict."""
    rows = {
        "COGMEN-A": {"A": cell(0.5, 0.25, 0.636)},
        "Masked, ours": {"A": cell(0.625, 0.0625, None), "AV": cell(0.75, 0.125, 0.687)},
    }
    notes = ("synthetic corpus: generated – no replication",)
    fields = {"corpus": "synthetic-tiny", "corpus_hash": "0123456789abcdef" * 4, "notes": notes, "rows": rows}
    return TableResult(
        **{"table": TABLE, "profile": "smoke", "protocol": "paper", "seeds": (24, 25), **fields, **replaced}
    )


def judged() -> TableResult:
    """Two seeds on the real corpus."""
    rows = {
        "COGMEN-A": {"A": cell(0.5, 0.25, 0.636, "inside")},
        "Masked, ours": {"A": cell(0.625, 0.0625, None), "AV": cell(0.9375, 0.0625, 0.687, "outside")},
    }
    return made(corpus="iemocap4", notes=(), rows=rows)


def one_seed() -> TableResult:
    """One seed on the real corpus."""
    return made(
        corpus="iemocap4", notes=(), seeds=(24,), rows={"COGMEN-A": {"A": cell(0.5, None, 0.636, "untestable")}}
    )
