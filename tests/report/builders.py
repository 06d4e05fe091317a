"""Tables, claims, figures and a manifest made by hand; every number in them is exact in three decimals."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from replicate.config.claims import Claim, Margins, Rule, Statement
from replicate.config.tables import Row, Table
from replicate.experiment.manifest import FORMAT, CorpusSummary, Machine, Manifest
from replicate.experiment.plan import Source
from replicate.report.types import Outputs
from replicate.results.aggregate import Cell, Comparison, TableResult
from replicate.results.claims import JudgedClaim, JudgedStatement, Measured
from replicate.results.sizes import Needed
from replicate.results.statistics import Summary
from replicate.training.config import Arm
from tests import cells

# What a name may hold: everything that means something to HTML or to TeX, and letters that TeX's fonts lack.
NASTY = "<script>alert(\"x\")</script> & 'y' %_#{z}~^\\ $ голос Łódź"
OTHER = "features of another extractor, with another selection of utterances"
RULE = Rule("one-sided test", 0.05, Margins(0.0, 0.1, 0.05, 0.1))


@dataclass(frozen=True)
class Drawn:
    """A replacement for ``figures.Figure``, made without matplotlib."""

    name: str
    title: str
    caption: str
    png: Path
    svg: Path


def cell(mean: float, published: float | None = None, verdict: str | None = None) -> Cell:
    """A cell of two seeds."""
    values = (mean - 0.125, mean + 0.125)
    summary = Summary(mean, 0.25, 2, values)
    return cells.cell(values, published=published, verdict=verdict, summary=summary)


def table(name: str = "table2", rows: Sequence[str] = ("COGMEN-A", "COGMEN-Mask"), **fields: Any) -> Table:
    """A table in two contexts whose rows all have published values in both."""
    arm = Arm("arm", "AV", ("A", "AV"), "A")
    made = tuple(Row(row, arm, ("A", "AV"), {"A": 0.625, "AV": 0.75}) for row in rows)
    return Table(name, "Masked training", "arXiv 2401.03000, Table 2", ("A", "AV"), made, **fields)


def result(of: Table | None = None, verdict: str | None = None, **fields: Any) -> TableResult:
    """Results of a table on IEMOCAP with other features, with a comparison of its first two rows."""
    of = of or table()
    rows = {
        row.name: {
            context: cell(0.125 + 0.0625 * i + 0.5 * (context == "AV"), row.published.get(context), verdict)
            for context in row.contexts
        }
        for i, row in enumerate(of.rows)
    }
    names = [f"{name}/A" for name in rows]
    compared = (Comparison(names[0], names[-1], cells.made_estimate(-0.0625, (-0.125, 0.5)), 0.5, 0.75),)
    known: dict[str, Any] = {
        "corpus": "iemocap4",
        "corpus_hash": "0123456789abcdef" * 4,
        "notes": (OTHER,),
        "profile": "smoke",
        "protocol": "paper",
        "seeds": (24, 25),
        "rows": rows,
        "companion": {},
        "needs": {},
        "comparisons": compared,
        "labels": ("angry", "happy"),
        "published_for": "features" if verdict is None else "release",
    }
    return TableResult(of, **(known | fields))


def claim(number: int, text: str, outcome: Any, *holds: bool | None, measured: bool = True) -> JudgedClaim:
    """A claim with one statement per value of ``holds``."""
    statements = tuple(
        JudgedStatement(
            Statement("table2/COGMEN-A/A", "far above", f"table2/{text}-{i}/A"),
            0.1,
            Measured(0.25 + i, (0.125, 0.375), 2) if measured else None,
            0.125 if measured else None,
            held,
            0.5,
            Needed(25) if measured and held is None else None,
        )
        for i, held in enumerate(holds)
    )
    return JudgedClaim(Claim(number, text, tuple(each.statement for each in statements)), statements, outcome)


def outputs(folder: Path, results: Sequence[TableResult] | None = None, judged: Sequence[JudgedClaim] = ()) -> Outputs:
    """What a command would have written into ``folder``."""
    return Outputs(folder, list([result()] if results is None else results), RULE, list(judged))


def manifest(results: Sequence[TableResult] = (), **fields: Any) -> Manifest:
    """The manifest of such results."""
    first = results[0] if results else result()
    made = Manifest(
        FORMAT,
        tuple(each.table.name for each in results or [first]),
        CorpusSummary(first.corpus, first.corpus_hash, first.notes),
        first.protocol,
        first.profile,
        first.seeds,
        False,
        "replicate run table2 --data 'a & b'",
        Source("a & b"),
        (),
        ("a" * 20, "b" * 20, "c" * 20),
        (),
        (),
        "../../runs",
        None,
        "cpu",
        "float32",
        False,
        2,
        12.3,
        7380.0,
        Machine("System 1", "Processor 2", 8),
        {"replicate": "0.1.0", "python": "3.12.1", "onnx": None},
        privileged="visual",
        git_commit="0123456789abcdef0123456789abcdef01234567",
        git_clean=False,
        builds={"MKL": "2024.2", "threads": "1"},
    )
    return replace(made, **fields)


def drawn(folder: Path, name: str = "figure3", title: str = "Title", caption: str = "Caption.") -> Drawn:
    """A figure of two files: red in the SVG, blue in the PNG."""
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="900" height="90"><rect width="900" height="90" '
                   'fill="#f00"/></svg>', encoding="utf-8")  # fmt: skip
    png.write_bytes(_png(3, 2, b"\0\0\xff"))
    return Drawn(name, title, caption, png, svg)


def _png(width: int, height: int, colour: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = zlib.compress((b"\0" + colour * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
