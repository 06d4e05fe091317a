"""Results of tables, made by hand."""

from __future__ import annotations

from typing import Any

from replicate.config.tables import Companion, Row, Table
from replicate.results.aggregate import Cell, Comparison, TableResult
from replicate.results.statistics import Summary
from replicate.training.config import Arm
from tests import cells
from tests.small_runs import tables_folder

__all__ = ["tables_folder"]

SPEECH = Arm("COGMEN-A", "A", ("A",), "A")
MASK = Arm("COGMEN-Mask", "AV", ("A", "AV"), "A", masked=True)
TABLE = Table(
    "table2",
    "Masked training",
    "arXiv 2401.03000, Table 2",
    ("A", "AV"),
    (
        Row("COGMEN-A", SPEECH, ("A",), {"A": 0.636}),
        Row("Masked, ours", MASK, ("A", "AV"), {"AV": 0.687}),
    ),
)

# What the release is to published numbers.
RELEASE: dict[str, Any] = {"published_for": "release", "control": ""}


def cell(
    mean: float, std: float | None, published: float | None, verdict: str | None = None, published_std: Any = None
) -> Cell:
    """A cell of two seeds, or of one where ``std`` is None."""
    values = (mean,) if std is None else (mean - 0.125, mean + 0.125)
    summary = Summary(mean, std, len(values), None if std is None else (values[0], values[1]))
    return cells.cell(values, published=published, published_std=published_std, verdict=verdict, summary=summary)


def made(**replaced: Any) -> TableResult:
    """Two seeds on a synthetic corpus: no verdict."""
    fields = {
        "table": TABLE,
        "corpus": "synthetic-tiny",
        "corpus_hash": "0123456789abcdef" * 4,
        "notes": ("synthetic corpus: generated – no replication",),
        "profile": "smoke",
        "protocol": "paper",
        "seeds": (24, 25),
        "rows": {
            "COGMEN-A": {"A": cell(0.5, 0.25, 0.636)},
            "Masked, ours": {"A": cell(0.625, 0.0625, None), "AV": cell(0.75, 0.125, 0.687)},
        },
        "companion": {},
        "needs": {},
        "comparisons": (),
        "labels": ("angry", "happy"),
        "control": "positive",
    }
    return TableResult(**fields | replaced)


def judged() -> TableResult:
    """Two seeds on the real corpus."""
    rows = {
        "COGMEN-A": {"A": cell(0.5, 0.25, 0.636, "inside")},
        "Masked, ours": {"A": cell(0.625, 0.0625, None), "AV": cell(0.9375, 0.0625, 0.687, "outside")},
    }
    return made(corpus="iemocap4", notes=(), rows=rows, **RELEASE)


def single(name: str, only: Cell | None, **replaced: Any) -> TableResult:
    """A table of one row that is shown in context A."""
    published = {} if only is None or only.published is None else {"A": only.published}
    table = Table("table2", "Masked training", TABLE.source, ("A", "AV"), (Row(name, SPEECH, ("A",), published),))
    return made(**{"table": table, "rows": {name: {} if only is None else {"A": only}}} | replaced)


def one_seed() -> TableResult:
    """One seed on the real corpus."""
    return single("COGMEN-A", cell(0.5, None, 0.636, "untestable"), corpus="iemocap4", notes=(), seeds=(24,), **RELEASE)


def everything() -> TableResult:
    """The paper's corpus with other features: comparisons, a row that could not be trained, deviations, a companion."""
    table = Table(
        "table3",
        "Without the graph",
        "arXiv 2401.03000, Table 3",
        ("A", "AV"),
        (
            Row("COGMEN-A", SPEECH, ("A",), {"A": 0.5}, {"A": 0.0625}),
            Row("HuBERT", MASK, ("A", "AV"), {"A": 0.25, "AV": 0.375}, {"AV": 0.125}),
        ),
        companion=Companion("table2", "full graph"),
        notes=("pairs share a teacher",),
    )
    comparisons = (
        Comparison("COGMEN-A/A", "HuBERT/A", cells.made_estimate(-0.03125, (-0.15625, 0.09375)), 0.5, 1.0),
        Comparison("HuBERT/AV", "HuBERT/A", cells.made_estimate(0.25, (0.125, 0.375)), 0.0625, 0.125),
    )
    return made(
        table=table,
        rows={"COGMEN-A": {"A": cell(0.5, 0.25, 0.5, None, 0.0625)}, "HuBERT": {}},
        companion={"COGMEN-A": {"A": cell(0.75, 0.125, 0.625, None, 0.03125)}},
        needs={"HuBERT": ("hubert",)},
        comparisons=comparisons,
        corpus="iemocap4",
        notes=("openSMILE – GeMAPS",),
        control="",
        published_for="features",
    )
